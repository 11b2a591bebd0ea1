"""What reading an upstream needs besides its address: whom to ask through, when to stop, whom to tell."""

import threading

from packhouse.actions.mirrors.work import Work
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.mirrors import Specification
from packhouse.errors import PackhouseError, Stopped


class Source:
    """An upstream that is read for nobody's record; what fails is raised."""

    def __init__(self, packhouse: Packhouse, specification: Specification, stop: threading.Event) -> None:
        self.packhouse = packhouse
        self.specification = specification
        self.stop = stop

    def go_on(self) -> None:
        """Raise Stopped once somebody said stop."""
        if self.stop.is_set():
            raise Stopped(f"Reading the upstream of mirror '{self.specification.name}' was stopped.")

    def fail(self, ckey: str, error: PackhouseError) -> None:
        """Note what could not be read, or raise."""
        raise error

    def transferred(self, size: int) -> None:
        """Count bytes that came."""


class SourceOfRun(Source):
    """The upstream of a run, which keeps what failed and how much came."""

    def __init__(self, work: Work) -> None:
        super().__init__(work.packhouse, work.mirror.specification, work.stop)
        self._work = work

    def fail(self, ckey: str, error: PackhouseError) -> None:
        self._work.fail(ckey, error)

    def transferred(self, size: int) -> None:
        self._work.transferred(size)
