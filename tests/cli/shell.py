"""A person at a shell who types commands of `conda repo`."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli import warm_process

CONDA_REPO = Path(sys.executable).with_name("conda-repo")
LEFT_OUT = ("ANACONDA_", "CONDA_", "REPO_", "REQUESTS_", "CURL_", "SSL_", "PACKHOUSE_")
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
"""Variables of whoever runs the tests that would change what the command line does."""
_numbers = itertools.count(1)


def new_name(stem: str) -> str:
    """A name for a channel that no other test of this worker has."""
    return f"{stem}-{next(_numbers)}"


@dataclass
class Done:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """What a command printed with --json."""
        return json.loads(self.stdout)


@dataclass
class Shell:
    """A user's shell: a home folder and environment of its own.

    Commands run in processes that are warm already, unless `program` names an entry point to start.
    """

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] | None = None

    def conda_repo(
        self, *words: object, typed: str = "", environment: Mapping[str, str] | None = None
    ) -> Done:
        """Run a command; `typed` is its standard input, which is no terminal."""
        variables = self.all_variables | dict(environment or {})
        asked = [*map(str, words)]
        if self.program is None:
            return Done(*warm_process.run(asked, typed, variables, self.home))
        done = subprocess.run(
            [*self.program, *asked],
            input=typed,
            env=variables,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    @property
    def entry_point(self) -> tuple[str, ...]:
        """What to start for a process of one's own."""
        return self.program or (str(CONDA_REPO),)

    def succeeds(self, *words: object, typed: str = "") -> Done:
        done = self.conda_repo(*words, typed=typed)
        assert done.exit_code == 0, done.stderr
        return done

    @property
    def all_variables(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(LEFT_OUT) and name.upper() not in PROXIES
        }
        return kept | {"HOME": str(self.home)} | self.environment

    def configure(self, text: str) -> Path:
        """Write ~/.anaconda/config.toml."""
        path = self.home / ".anaconda/config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path
