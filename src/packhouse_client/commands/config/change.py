"""`config --set`, `--remove` and `--set-site`: what changes a file of the configuration."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packhouse_client.configuration import (
    Configuration,
    read_configuration,
    system_yaml_path,
    toml_path,
    user_yaml_path,
)
from packhouse_client.configuration.changes import file_to_change, remove_value, set_values
from packhouse_client.configuration.effective import find_setting
from packhouse_client.configuration.keys import (
    Keys,
    dotted,
    is_known,
    known_like,
    masked,
    parse_keys,
    parse_value,
    typed_value,
)
from packhouse_client.errors import NotFound
from packhouse_client.session import Session


@dataclass(frozen=True, slots=True)
class Pairs:
    """Names and values to set, as typed; `kind` says what all values are."""

    typed: tuple[tuple[str, str], ...]
    kind: str | None = None

    def parsed(self) -> dict[Keys, Any]:
        """Raises WrongUsage before anything is changed."""
        return {keys: self._value(keys, text) for name, text in self.typed for keys in [parse_keys(name)]}

    def _value(self, keys: Keys, text: str) -> Any:
        return parse_value(keys, text) if self.kind is None else typed_value(self.kind, text)


def change(session: Session, pairs: Pairs, to_remove: Iterable[str], *, system: bool, as_json: bool) -> None:
    """Set, then remove. Raises WrongUsage, BadConfiguration, and NotFound for a value that is not set."""
    values, gone = pairs.parsed(), [parse_keys(name) for name in to_remove]
    done = [_set(session, keys, value, system) for keys, value in values.items()]
    done += [item for keys in gone for item in _remove(session, keys, system)]
    if as_json:
        session.output.print_json({"items": done, "total_count": len(done)})


def _set(session: Session, keys: Keys, value: Any, system: bool) -> dict[str, Any]:
    if not is_known(keys):
        _warn_of_unknown(session, keys)
    path = file_to_change(read_configuration(), keys, system=system)
    set_values(path, {keys: value})
    session.output.say(f"'{dotted(keys)}' is set in {path}.")
    _warn_of_last_word(session, read_configuration(), keys, value)
    return {"name": dotted(keys), "value": masked(value, keys[-1]), "file": str(path)}


def _warn_of_unknown(session: Session, keys: Keys) -> None:
    from packhouse_client.suggestions import did_you_mean

    hint = did_you_mean(dotted(keys), known_like(keys))
    session.output.warn(f"'{dotted(keys)}' is not a known configuration key.{hint}")


def _warn_of_last_word(session: Session, configuration: Configuration, keys: Keys, value: Any) -> None:
    counts = find_setting(configuration, keys)
    if counts is not None and counts.value != value:
        session.output.warn(f"It has no effect: {counts.source} says {counts.shown}, and has the last word.")


def _remove(session: Session, keys: Keys, system: bool) -> list[dict[str, Any]]:
    own = (system_yaml_path(),) if system else (toml_path(), user_yaml_path())
    saying = [source.path for source in read_configuration().sources if source.get(*keys) is not None]
    paths = [path for path in saying if path in own]
    if not paths:
        raise NotFound(_not_set(keys, saying))
    for path in paths:
        remove_value(path, keys)
        session.output.say(f"'{dotted(keys)}' is removed from {path}.")
    return [{"name": dotted(keys), "value": None, "file": str(path)} for path in paths]


def _not_set(keys: Keys, elsewhere: list[Path]) -> str:
    hint = f" there; {elsewhere[0]} sets it" if elsewhere else ""
    return f"The value of '{dotted(keys)}' is not set{hint}."


def set_site(session: Session, address: str, *, system: bool, as_json: bool) -> None:
    """Raises WrongUsage for what is no address, Unreachable where no server is."""
    from packhouse_client.configuration.adding import add_site, find_server

    url = find_server(session, address)
    path = system_yaml_path() if system else toml_path()
    name = add_site(session.configuration, path, url, session.options.ca_file)
    session.output.say(f"Site {url} added as {name} to configuration")
    _warn_of_last_word(session, read_configuration(), ("default_site",), name)
    if as_json:
        session.output.print_json({"site": name, "url": url, "file": str(path)})
