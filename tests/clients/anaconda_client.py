"""The `anaconda` command as somebody has it who was told of this server: a home with a site, and a token."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Anaconda:
    home: Path
    token: str

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `anaconda ARGUMENTS`; nothing but the site is reachable, nothing is asked."""
        return subprocess.run(
            [Path(sys.executable).with_name("anaconda"), *arguments],
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

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "ANACONDA_AUTH_API_KEY": self.token,
            "ANACONDA_TELEMETRY_ENABLED": "false",
            "NO_PROXY": "*",
        }


def with_site(home: Path, url: str, ca: Path, token: str) -> Anaconda:
    """A new home whose default site is the server at `url`, trusted by its CA."""
    folder = home / ".anaconda"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(
        'default_site = "packhouse"\n'
        '[sites."packhouse"]\n'
        f'domain = "{url.removeprefix("https://")}"\n'
        f'ssl_verify = "{ca}"\n'
    )
    return Anaconda(home, token)
