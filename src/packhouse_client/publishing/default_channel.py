"""Where an upload goes that names no channel: the first of `default_channels` in conda's own configuration."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packhouse_client.configuration.sites import Site
from packhouse_client.errors import BadConfiguration
from packhouse_client.specifications import CHANNEL

TOKEN_IN_URL = re.compile(r"/t/[A-Za-z0-9-]+/")


def default_channel(site: Site) -> tuple[str, Path] | None:
    """The first channel of this site that the configuration lists, and the file that does so.

    None if none is listed. Raises BadConfiguration for a file that cannot be read.
    """
    for path in reversed(list(condarc_files())):
        entries = _default_channels(path)
        for entry in entries:
            if (channel := channel_of(site, entry)) is not None:
                return channel, path
        if entries:
            return None
    return None


def condarc_files() -> Iterator[Path]:
    """Those that are there, in conda's order: what comes later wins.

    Says who? https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/use-condarc.html
    """
    folders = [Path("/etc/conda"), Path("/var/lib/conda"), *_conda_root()]
    folders += [_home(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "conda", _home("~/.conda")]
    for folder in folders:
        yield from _in_folder(folder)
    yield from _existing(_home("~/.condarc"))
    if prefix := os.environ.get("CONDA_PREFIX"):
        yield from _in_folder(Path(prefix))
    if named := os.environ.get("CONDARC"):
        yield from _existing(_home(named))


def _conda_root() -> list[Path]:
    if root := os.environ.get("CONDA_ROOT"):
        return [Path(root)]
    executable = os.environ.get("CONDA_EXE")  # <root>/bin/conda, or <root>/Scripts/conda.exe
    return [Path(executable).parent.parent] if executable else []


def _in_folder(folder: Path) -> Iterator[Path]:
    yield from _existing(folder / "condarc")
    if (more := folder / "condarc.d").is_dir():
        yield from sorted(path for path in more.iterdir() if path.suffix in (".yml", ".yaml"))
    yield from _existing(folder / ".condarc")


def _existing(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path


def _home(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no home, so there is nothing in it
        return Path(text)


def _default_channels(path: Path) -> list[str]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document: Any = YAML(typ="safe", pure=True).load(path.read_text("utf-8-sig")) or {}
        found = document.get("default_channels") or []
    except (OSError, YAMLError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise BadConfiguration(
            f"{path} cannot be read to find the default channel: {reason}. Mend it, or give --channel."
        ) from error
    return [str(entry) for entry in found] if isinstance(found, list) else [str(found)]


def channel_of(site: Site, entry: str) -> str | None:
    """The channel that an entry means on this site: a name, or an address below the site's own."""
    text = TOKEN_IN_URL.sub("/", os.path.expandvars(entry.strip()), count=1).rstrip("/")
    name = text.removeprefix(f"{site.channel_alias}/")
    return name if CHANNEL.fullmatch(name) and name not in ("defaults", "nodefaults") else None
