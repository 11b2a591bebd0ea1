"""The `anaconda` command as somebody has it who was told of this server: a home with a site, and a token."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 120


COMMAND = Path(sys.executable).with_name("anaconda")


@dataclass(frozen=True)
class Anaconda:
    """`token` None is somebody who has yet to log in."""

    home: Path
    token: str | None

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `anaconda ARGUMENTS`; nothing but the site is reachable, nothing is asked."""
        return subprocess.run(
            [COMMAND, *arguments],
            env=self._environment(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def does(self, *arguments: str) -> str:
        """What the command prints, once it has succeeded."""
        done = self(*arguments)
        assert done.returncode == 0, f"anaconda {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def started(self, *arguments: str, browser: str = "true") -> Iterator[subprocess.Popen[str]]:
        """`anaconda ARGUMENTS` while it runs; what it says is in `stdout`, `browser` is the command it opens."""
        process = subprocess.Popen(
            [COMMAND, *arguments],
            env={**self._environment(), "BROWSER": browser},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def _environment(self) -> dict[str, str]:
        environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "PYTHONUNBUFFERED": "1",
            "ANACONDA_TELEMETRY_ENABLED": "false",
            "NO_PROXY": "*",
        }
        return environment if self.token is None else {**environment, "ANACONDA_AUTH_API_KEY": self.token}


def with_site(home: Path, url: str, ca: Path, token: str | None, *settings: str) -> Anaconda:
    """A new home whose default site is the server at `url`, trusted by its CA; `settings` are lines of TOML."""
    folder = home / ".anaconda"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(
        'default_site = "packhouse"\n'
        '[sites."packhouse"]\n'
        f'domain = "{url.removeprefix("https://")}"\n'
        f'ssl_verify = "{ca}"\n' + "".join(f"{line}\n" for line in settings)
    )
    return Anaconda(home, token)
