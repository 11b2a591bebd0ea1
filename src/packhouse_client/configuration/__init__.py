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
CLIENT_FOLDER = "anaconda-client"
SYSTEM_FOLDERS = (Path("/etc") / CLIENT_FOLDER, Path("/usr/local/share") / CLIENT_FOLDER)


@dataclass(frozen=True, slots=True)
class Source:
    """One file, and what it says."""

    path: Path
    values: Values

    def get(self, *keys: str) -> Any:
        """The value below these keys; None if it says nothing of them."""
        value: Any = self.values
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value


@dataclass(frozen=True, slots=True)
class Configuration:
    """All files that are there; one that comes earlier wins."""

    sources: tuple[Source, ...]

    def get(self, *keys: str) -> tuple[Any, Path | None]:
        """The value below these keys and the file that says so; (None, None) if none does."""
        for source in self.sources:
            if (value := source.get(*keys)) is not None:
                return value, source.path
        return None, None

    def site_names(self) -> list[str]:
        """Raises BadConfiguration where what should be the table of sites is something else."""
        names: dict[str, None] = {}
        for source in self.sources:
            names.update(dict.fromkeys(_sites(source)))
        return list(names)


def _sites(source: Source) -> list[str]:
    sites = source.values.get("sites") or {}
    if not isinstance(sites, Mapping) or not all(isinstance(site, Mapping) for site in sites.values()):
        raise BadConfiguration(
            f'{source.path}: \'sites\' must be tables of names and values: [sites."NAME"] domain = "HOST".'
        )
    return [str(name) for name in sites]


def read_configuration() -> Configuration:
    """Read every file that is there. Raises BadConfiguration, naming the file, for one that cannot be read."""
    found = [read_source(path) for path in configuration_files() if _is_there(path)]
    return Configuration(tuple(found))


def configuration_files() -> list[Path]:
    """Where the configuration may lie, the most important first."""
    return [toml_path(), *yaml_paths()]


def toml_path() -> Path:
    return expand(os.environ.get("ANACONDA_CONFIG_TOML") or "~/.anaconda/config.toml")


def user_yaml_path() -> Path:
    return expand(os.environ.get("REPO_CONFIG_DIR") or "~/.conda") / YAML_NAME


def system_yaml_path() -> Path:
    """The file of all users of this conda; without conda, of this machine."""
    root = conda_root()
    return (SYSTEM_FOLDERS[0] if root is None else root / "etc" / CLIENT_FOLDER) / YAML_NAME


def conda_root() -> Path | None:
    """Where conda itself is installed, as it says to the programs in its environments."""
    if root := os.environ.get("CONDA_ROOT"):
        return expand(root)
    executable = os.environ.get("CONDA_EXE")
    return expand(executable).parent.parent if executable else None


def yaml_paths() -> list[Path]:
    """Those of the user first, then those of the environment, of conda, and of the machine."""
    folders = [expand(f"~/{inner}/{CLIENT_FOLDER}") for inner in (".continuum", ".local/share")]
    roots = [os.environ.get("CONDA_PREFIX"), conda_root()]
    folders += [Path(root) / "etc" / CLIENT_FOLDER for root in roots if root]
    return list(
        dict.fromkeys([user_yaml_path(), *(folder / YAML_NAME for folder in (*folders, *SYSTEM_FOLDERS))])
    )


def expand(text: str) -> Path:
    """A path with `~` and `$VARIABLES`. Raises BadConfiguration where the home folder is not known."""
    try:
        return Path(os.path.expandvars(text)).expanduser()
    except RuntimeError as error:
        raise BadConfiguration(f"'{text}' has no meaning here: your home folder is not known.") from error


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise BadConfiguration(f"{path} cannot be read: {error.strerror}.") from error


def read_source(path: Path) -> Source:
    """Raises BadConfiguration, naming the file."""
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
