"""Changes to the files of the configuration: comments and order stay, and no file is ever half written."""

from collections.abc import Callable, Mapping, MutableMapping
from io import StringIO
from pathlib import Path
from typing import Any

from packhouse_client.configuration import (
    Configuration,
    read_source,
    system_yaml_path,
    toml_path,
    user_yaml_path,
)
from packhouse_client.configuration.keys import OLD_STYLE, Keys, dotted, holds_secret
from packhouse_client.errors import BadConfiguration
from packhouse_client.whole_file import write_file

Document = MutableMapping[str, Any]


def file_to_change(configuration: Configuration, keys: Keys, *, system: bool) -> Path:
    """The user's file that says it already; else config.toml, and for what only `conda repo` knows the older file
    where there is one."""
    if system:
        return system_yaml_path()
    own = (toml_path(), user_yaml_path())
    for source in configuration.sources:
        if source.path in own and source.get(*keys) is not None:
            return source.path
    is_old = keys[0] in OLD_STYLE and user_yaml_path().is_file()
    return user_yaml_path() if is_old else toml_path()


def set_values(path: Path, values: Mapping[Keys, Any]) -> None:
    """Raises BadConfiguration where the file cannot be read or written, or a name is in the way."""

    def change(document: Document) -> None:
        for keys, value in values.items():
            table = document
            for depth, key in enumerate(keys[:-1]):
                table = table.setdefault(key, _new_table(path, depth))
                if not isinstance(table, MutableMapping):
                    raise BadConfiguration(
                        f"{path}: '{dotted(keys[: depth + 1])}' has a value and no names below it."
                    )
            table[keys[-1]] = value

    _change(path, change)


def remove_value(path: Path, keys: Keys) -> None:
    """The value, and the tables that it leaves empty. It must be there."""

    def change(document: Document) -> None:
        tables = [document]
        for key in keys[:-1]:
            tables.append(tables[-1][key])
        for table, key in zip(reversed(tables), reversed(keys), strict=True):
            del table[key]
            if table:
                break

    _change(path, change)


def _change(path: Path, change: Callable[[Document], None]) -> None:
    is_toml = path.suffix == ".toml"
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        if text:
            read_source(path)  # what is broken is told in the same words as everywhere
        changed = (_changed_toml if is_toml else _changed_yaml)(text, change)
        write_file(path, changed, is_secret=holds_secret(_values(changed, is_toml)))
    except OSError as error:
        raise BadConfiguration(f"{path} cannot be written: {error.strerror}.") from error


def _changed_toml(text: str, change: Callable[[Document], None]) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    change(document)
    return tomlkit.dumps(document)


def _changed_yaml(text: str, change: Callable[[Document], None]) -> str:
    from ruamel.yaml import YAML

    editor = YAML()
    document = editor.load(text) or {}
    change(document)
    written = StringIO()
    editor.dump(document, written)
    return written.getvalue()


def _values(text: str, is_toml: bool) -> Any:
    import tomllib

    from ruamel.yaml import YAML

    return tomllib.loads(text) if is_toml else YAML(typ="safe", pure=True).load(text)


def _new_table(path: Path, depth: int) -> Document:
    """`sites` itself is not written as a table: its sites are."""
    if path.suffix != ".toml":
        return {}
    import tomlkit

    return tomlkit.table(is_super_table=depth == 0)
