"""`config --show`, `--show-sources`, `--get` and `--files`: what is said where, and what counts."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packhouse_client.configuration import (
    Configuration,
    conda_root,
    system_yaml_path,
    toml_path,
    user_yaml_path,
)
from packhouse_client.configuration.effective import (
    Setting,
    all_settings,
    conclusions,
    find_setting,
    merged,
    variables,
)
from packhouse_client.configuration.keys import DEFAULTS, dotted, masked, parse_keys
from packhouse_client.errors import NotFound
from packhouse_client.session import Session
from packhouse_client.terminal.yaml import as_yaml


def show(session: Session, as_json: bool) -> None:
    document = masked(merged(session.configuration))
    if as_json:
        session.output.print_json(document)
    else:
        session.output.print(as_yaml(document))


def get(session: Session, name: str, as_json: bool) -> None:
    """Raises NotFound for what has no value; a table is a value as well."""
    keys = parse_keys(name)
    found = find_setting(session.configuration, keys)
    if found is None:
        raise NotFound(f"The value of '{dotted(keys)}' is not set.")
    if as_json:
        session.output.print_json({"name": found.name, "value": found.value, "source": found.source})
    else:
        session.output.print(found.value if isinstance(found.value, str) else _plain(found.value))


def _plain(value: Any) -> str:
    return as_yaml(value).removesuffix(
        "\n..."
    )  # the end of a document, which YAML writes behind a lone value


def show_sources(session: Session, as_json: bool) -> None:
    settings, in_use = (
        all_settings(session.configuration),
        conclusions(session.configuration, session.options),
    )
    if as_json:
        session.output.print_json(_sources_document(session.configuration, settings, in_use))
        return
    for heading, values in _sources(session.configuration):
        session.output.print(f"==> {heading} <==\n{as_yaml(values)}\n")
    session.output.print(f"==> in effect, and who has the last word <==\n{_commented(settings)}\n")
    session.output.print(f"==> in use <==\n{_commented(in_use)}")


def _sources(configuration: Configuration) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [
        (str(source.path), masked(source.values)) for source in configuration.sources
    ]
    if environment := variables():
        found.append(("environment", environment))
    return [*found, ("defaults", dict(DEFAULTS))]


def _commented(settings: Iterable[Setting]) -> str:
    """YAML, with the source as a comment on the line of each name."""
    lines = []
    for setting in settings:
        first, *others = as_yaml({setting.name: setting.shown}).splitlines()
        lines += [f"{first}  # {setting.source}", *others]
    return "\n".join(lines)


def _sources_document(
    configuration: Configuration, settings: Iterable[Setting], in_use: Iterable[Setting]
) -> dict[str, Any]:
    items = [{"source": name, "values": values} for name, values in _sources(configuration)]
    return {
        "items": items,
        "total_count": len(items),
        "in_effect": [_as_item(setting) for setting in settings],
        "in_use": [_as_item(setting) for setting in in_use],
    }


def _as_item(setting: Setting) -> dict[str, Any]:
    return {"name": setting.name, "value": setting.shown, "source": setting.source}


def show_files(session: Session, as_json: bool) -> None:
    root, own, system = conda_root(), [toml_path(), user_yaml_path()], system_yaml_path()
    if as_json:
        session.output.print_json(
            {
                "conda_root": None if root is None else str(root),
                "user": [str(path) for path in own],
                "system": [str(system)],
            }
        )
        return
    session.output.print(f"Conda_root: {root or 'not known'}")
    for path in own:
        session.output.print(f"User Config: {path}{_is_missing(path)}")
    session.output.print(f"System Config: {system}{_is_missing(system)}")


def _is_missing(path: Path) -> str:
    return "" if path.is_file() else " (not there)"
