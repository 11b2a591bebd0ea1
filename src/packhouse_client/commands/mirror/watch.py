"""A run watched until it ends; the run itself goes on, whoever watches."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from packhouse_client.commands.mirror.lookup import Found, find_mirror
from packhouse_client.commands.mirror.request import Request
from packhouse_client.commands.mirror.standing import Rate, Standing
from packhouse_client.commands.mirror.summary import summary, trouble
from packhouse_client.errors import ClientError, Conflict, NotFound, Unreachable
from packhouse_client.session import Session
from packhouse_client.terminal.live import Display, display
from packhouse_client.wire.connection import Document

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 1.0
"""Seconds between two questions to the server: a short run is soon over, a long one has time."""
PATIENCE_SECONDS = 120.0
"""How long a server may be away, as while it is restarted: its run goes on when it is back."""
SERVER_FAILED = 500


def follow_mirror(session: Session, request: Request) -> None:
    found = find_mirror(session, request)
    if _last_run(session, found) is None and found.state != "running":
        raise Conflict(
            f"Mirror {found.name} has not run yet. Start it: {session.program} mirror --restart {found.name}"
        )
    watch_run(session, request, found)


def watch_run(session: Session, request: Request, found: Found) -> None:
    """Until it ends. Raises ClientError if it failed, or some of its files did."""
    with _told_that_it_goes_on(session, found), display(session.output) as shown:
        mirror = _ended(session, found, shown)
    run = _last_run(session, found)
    if run is None:
        raise NotFound(f"The run of mirror {found.name} is gone; somebody may have deleted the mirror.")
    for line in summary(found.name, mirror, run):
        session.output.say(line)
    if request.as_json:
        session.output.print_json(mirror | {"run": run})
    if said := trouble(found.name, run):
        raise ClientError(said)


@contextmanager
def _told_that_it_goes_on(session: Session, found: Found) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        session.output.say(
            f"\nThe run of mirror {found.name} goes on. Watch it with: {session.program} mirror --follow "
            f"{found.name} -c {found.channel}; end it with --stop."
        )
        raise


def _ended(session: Session, found: Found, shown: Display) -> Document:
    """The mirror once its run has ended."""
    rate, pause = Rate(), FIRST_PAUSE
    ask = _patient(session, found)
    while True:
        mirror = ask()
        standing = Standing.of(mirror)
        if not standing.is_under_way:
            return mirror
        speed = rate.tell(time.monotonic(), standing.transferred)
        shown.show(standing.percentage, standing.line(speed), _lines(standing, speed))
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)


def _lines(standing: Standing, speed: float) -> tuple[str, ...]:
    """What a terminal shows around the bar."""
    error = f"Last error: {standing.last_error}" if standing.last_error else ""
    return standing.heading, standing.figures(speed), standing.last_file, error


def _patient(session: Session, found: Found) -> Callable[[], Document]:
    """Asks for the mirror, and asks again while the server is away."""
    last_answer = time.monotonic()

    def ask() -> Document:
        nonlocal last_answer
        while True:
            try:
                mirror = session.client.show_mirror(found.channel, found.id)
            except ClientError as error:
                is_away = isinstance(error, Unreachable) or (error.status or 0) >= SERVER_FAILED
                if not is_away or time.monotonic() - last_answer > PATIENCE_SECONDS:
                    raise
                session.output.debug(f"{error} Asking again.")
                time.sleep(LONGEST_PAUSE)
            else:
                last_answer = time.monotonic()
                return mirror

    return ask


def _last_run(session: Session, found: Found) -> Document | None:
    runs = session.client.list_mirror_runs(found.channel, found.id, limit=1)["items"]
    return runs[0] if runs else None
