"""The configuration: which files there are, what each says, and what that comes to.

The files are those of the existing clients: `~/.anaconda/config.toml`, which `anaconda` reads as well, and
`repo-cli-config.yaml`, which older versions of `conda repo` wrote.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packhouse_client.errors import BadConfiguration

Values = Mapping[str, Any]
YAML_NAME = "repo-cli-config.yaml"


@dataclass(frozen=True, slots=True)
class Source:
    """One file, and what it says."""

    path: Path
    values: Values


@dataclass(frozen=True, slots=True)
class Configuration:
    """All files that are there; one that comes earlier wins."""

    sources: tuple[Source, ...]

    def get(self, *keys: str) -> tuple[Any, Path | None]:
        """The value below these keys and the file that says so; (None, None) if none does."""
        for source in self.sources:
            value: Any = source.values
            for key in keys:
                value = value.get(key) if isinstance(value, Mapping) else None
            if value is not None:
                return value, source.path
        return None, None

    def site_names(self) -> list[str]:
        names: dict[str, None] = {}
        for source in self.sources:
            names.update(dict.fromkeys(_mapping(source, "sites")))
        return list(names)


def _mapping(source: Source, key: str) -> Mapping[str, Any]:
    value = source.values.get(key) or {}
    if not isinstance(value, Mapping):
        raise BadConfiguration(f"{source.path}: '{key}' must be a table of names and values.")
    return value


def read_configuration() -> Configuration:
    """Read every file that is there. Raises BadConfiguration, naming the file, for one that cannot be read."""
    found = [_read(path) for path in configuration_files() if path.is_file()]
    return Configuration(tuple(found))


def configuration_files() -> list[Path]:
    """Where the configuration may lie, the most important first."""
    return [toml_path(), *yaml_paths()]


def toml_path() -> Path:
    return _path(os.environ.get("ANACONDA_CONFIG_TOML") or "~/.anaconda/config.toml")


def user_yaml_path() -> Path:
    return _path(os.environ.get("REPO_CONFIG_DIR") or "~/.conda") / YAML_NAME


def yaml_paths() -> list[Path]:
    """Those of the user first, then those of the environment, of conda, and of the machine."""
    folders = [_path("~/.continuum/anaconda-client")]
    roots = [os.environ.get(name) for name in ("CONDA_PREFIX", "CONDA_ROOT")]
    folders += [Path(root) / "etc" / "anaconda-client" for root in roots if root]
    folders.append(Path("/etc/anaconda-client"))
    return list(dict.fromkeys([user_yaml_path(), *(folder / YAML_NAME for folder in folders)]))


def _path(text: str) -> Path:
    try:
        return Path(os.path.expandvars(text)).expanduser()
    except RuntimeError as error:
        raise BadConfiguration(f"'{text}' has no meaning here: your home folder is not known.") from error


def _read(path: Path) -> Source:
    try:
        text = path.read_text("utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else _read_yaml(text)
    except OSError as error:
        raise BadConfiguration(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise BadConfiguration(f"{path} is not valid: {error}") from error
    if not isinstance(values, Mapping):
        raise BadConfiguration(f"{path} must hold names and values.")
    return Source(path, values)


def _read_yaml(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text) or {}
    except YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
