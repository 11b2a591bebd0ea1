"""A home folder of nobody yet: no file, and no variable that means anything to the client."""

import os
from pathlib import Path

import pytest

from tests.cli.shell import LEFT_OUT


def move_into(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(LEFT_OUT)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    return home


def write(home: Path, text: str, path: str = ".anaconda/config.toml") -> Path:
    file = home / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file
