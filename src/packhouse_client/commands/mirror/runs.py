"""What a mirror has run, and what each run changed in the channel."""

from collections.abc import Sequence
from functools import partial

from packhouse_client.commands.mirror.lookup import Found, find_mirror
from packhouse_client.commands.mirror.request import Request
from packhouse_client.commands.mirror.summary import duration
from packhouse_client.errors import NotFound, WrongUsage
from packhouse_client.listings import read_listing
from packhouse_client.session import Session
from packhouse_client.terminal.sizes import as_size
from packhouse_client.terminal.tables import Column, moment_cell, table, terminal_width
from packhouse_client.wire.connection import Document

SHORT_ID = 8
"""Characters of an id that people need to see; `--changes` understands as many as tell it from others."""
RUN_COLUMNS = (
    Column("Run", 36),
    Column("State", 9),
    Column("Trigger", 8, may_be_left_out=True),
    Column("Started", 32),
    Column("Took", 8, align_right=True, may_be_left_out=True),
    Column("Added", 9, align_right=True),
    Column("Removed", 9, align_right=True),
    Column("Changed", 9, align_right=True, may_be_left_out=True),
    Column("Refused", 9, align_right=True),
    Column("Failed", 9, align_right=True),
    Column("Vanished", 9, align_right=True, may_be_left_out=True),
    Column("Size", 10, align_right=True, may_be_left_out=True),
)
COUNTS = ("added", "removed", "changed", "refused", "failed", "vanished")
CHANGE_COLUMNS = (Column("Action", 10), Column("Path", 60), Column("Reason", 40))


def list_runs(session: Session, request: Request) -> None:
    found = find_mirror(session, request)
    ask = partial(session.client.list_mirror_runs, found.channel, found.id)
    listing = read_listing(ask, request.offset, request.limit)
    runs = list(listing.items)
    if request.as_json:
        session.output.print_json({"items": runs, "total_count": listing.total})
        return
    session.output.print(table(RUN_COLUMNS, [_run_row(run) for run in runs]))
    if not runs:
        session.output.say(f"Mirror {found.name} has not run yet.")
    request.say_what_follows(session.output, len(runs), listing.total)


def _run_row(run: Document) -> Sequence[object]:
    run_id = run["run_id"][:SHORT_ID] if terminal_width() else run["run_id"]
    facts = (run_id, run["state"], run["trigger"], moment_cell(run["started_at"]), duration(run))
    return *facts, *(run["counts"].get(word, 0) for word in COUNTS), as_size(run["bytes_transfered"])


def list_changes(session: Session, request: Request) -> None:
    found = find_mirror(session, request)
    run_id = _meant_run(session, request, found)
    query = {} if request.change is None else {"action": request.change}
    ask = partial(session.client.list_mirror_changes, found.channel, found.id, run_id, **query)
    listing = read_listing(ask, request.offset, request.limit)
    changes = list(listing.items)
    if request.as_json:
        session.output.print_json({"run_id": run_id, "items": changes, "total_count": listing.total})
        return
    rows = [(change["action"], change["ckey"], change["reason"]) for change in changes]
    session.output.print(table(CHANGE_COLUMNS, rows))
    if not rows:
        session.output.say("There is nothing to list.")
    request.say_what_follows(session.output, len(changes), listing.total)


def _meant_run(session: Session, request: Request, found: Found) -> str:
    """The last one, or that whose id begins as was said. Raises NotFound, WrongUsage if several do."""
    ask = partial(session.client.list_mirror_runs, found.channel, found.id)
    if not request.more:
        runs = ask(limit=1)["items"]
        if not runs:
            raise NotFound(f"Mirror {found.name} has not run yet.")
        return str(runs[0]["run_id"])
    [said] = request.more
    meant = [str(run["run_id"]) for run in read_listing(ask).items if str(run["run_id"]).startswith(said)]
    if not meant:
        raise NotFound(f"Mirror {found.name} has no run {said}; --runs {found.name} lists them.")
    if len(meant) > 1:
        raise WrongUsage(f"{len(meant)} runs of mirror {found.name} begin with {said}; write more of the id.")
    return meant[0]
