"""What a mirror would bring, before it brings anything."""

from collections.abc import Iterator

from packhouse_client.commands.mirror.request import Request
from packhouse_client.commands.mirror.summary import filtered
from packhouse_client.session import Session
from packhouse_client.terminal.sizes import as_size
from packhouse_client.terminal.tables import Column, table
from packhouse_client.wire.connection import Document

SUBDIR_COLUMNS = (
    Column("Subdir", 20),
    Column("Files", 10, align_right=True),
    Column("Size", 10, align_right=True),
)
NAME_COLUMNS = (
    Column("Name", 40),
    Column("Files", 10, align_right=True),
    Column("Size", 10, align_right=True),
)


def show_preview(session: Session, request: Request, preview: Document) -> None:
    if request.as_json:
        session.output.print_json(preview)
        return
    total = preview["total_names"]
    session.output.print(
        f"{_files(preview['files'])} of {total:,} package{'' if total == 1 else 's'}, "
        f"{as_size(preview['bytes'])}, would come:\n"
    )
    subdirs = [(name, found["files"], as_size(found["bytes"])) for name, found in preview["subdirs"].items()]
    session.output.print(table(SUBDIR_COLUMNS, subdirs) + "\n")
    names = [
        (found["name"], found["files"], as_size(found["bytes"]))
        for found in preview["names"][: request.limit]
    ]
    session.output.print(table(NAME_COLUMNS, names))
    if len(names) < total:
        session.output.say(f"These are the first {len(names):,} of {total:,}; --limit or --json shows more.")
    if left_out := filtered(preview["filtered"]):
        session.output.print(f"\nLeft out by the filters: {left_out}")
    warnings = list(_warnings(preview))
    for line in warnings[: request.limit]:
        session.output.warn(line)
    if len(warnings) > request.limit:
        session.output.say(f"{len(warnings) - request.limit:,} more warnings are in the answer of --json.")


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def _warnings(preview: Document) -> Iterator[str]:
    for found in preview["unsolvable"]:
        platform = f" on {found['platform']}" if found["platform"] else ""
        yield f"Nothing can be made with '{found['spec']}'{platform}: {found['reason']}"
    for found in preview["missing"]:
        platform = f" on {found['platform']}" if found.get("platform") else ""
        yield f"Nothing satisfies '{found['spec']}'{platform}, which {found['wanted_by']} needs."
    if preview["refused"]:
        yield f"{_files(preview['refused'])} would be refused."
    yield from preview["notes"]
