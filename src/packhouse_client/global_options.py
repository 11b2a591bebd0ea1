"""What is said before a command's name and holds for all of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    token: str | None = None
    site: str | None = None
    insecure: bool = False
    ca_file: Path | None = None
    disable_ssl_warnings: bool = False
    show_traceback: bool = False
    verbose: bool = False
    quiet: bool = False

    def filled_from(self, outer: Any) -> "GlobalOptions":
        """Take what was said before `repo`, as in `anaconda --at SITE -t TOKEN repo ...`."""
        said = getattr(outer, "params", None)
        if not isinstance(said, dict):
            return self
        return replace(
            self,
            token=self.token or said.get("token"),
            site=self.site or said.get("site") or said.get("at"),
            disable_ssl_warnings=self.disable_ssl_warnings or bool(said.get("disable_ssl_warnings")),
            show_traceback=self.show_traceback or bool(said.get("show_traceback")),
            verbose=self.verbose or bool(said.get("verbose")),
            quiet=self.quiet or bool(said.get("quiet")),
        )
