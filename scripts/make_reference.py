#!/usr/bin/env python3
"""Makes the pages in docs/reference that the code knows best: settings, commands and the HTTP API.

`python scripts/make_reference.py` writes them; `tests/test_docs.py` fails when they are out of date.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from packhouse import errors
from packhouse.__main__ import app as operator_app
from packhouse.actions.packhouse import Packhouse
from packhouse.settings import Settings, load_settings
from packhouse.storage.blobs import open_blobs
from packhouse.storage.database import Database
from packhouse.web.application import openapi_document
from packhouse.web.errors import STATUSES
from packhouse_client.app import app as client_app

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
MADE = "<!-- Made from the code by scripts/make_reference.py: change it there. -->"
ANY_CHANNEL = ("/api/channels/{channel}/subchannels/{subchannel}", "/api/channels/{channel}")


# Settings


def settings_page() -> str:
    rows = [_setting_row(name, field) for name, field in Settings.model_fields.items()]
    return _page(
        "Settings",
        "Each is a key of `packhouse.toml` (in the working directory, or where `PACKHOUSE_CONFIG` says) and an "
        "environment variable; the common ones are also options of the [commands](operator.md). Options win over "
        "the environment, and the environment wins over the file. Lists and tables are written as JSON in the "
        "environment. A name that is not listed here is an error, so that a typing mistake is noticed.",
        *_table(("setting", "environment", "default", "what it is"), rows),
    )


def _setting_row(name: str, field: FieldInfo) -> tuple[str, ...]:
    meaning = field.description or ""
    if choices := _choices(field.annotation):
        meaning += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
    return f"`{name}`", f"`PACKHOUSE_{name.upper()}`", _default(field), meaning


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if str(get_origin(annotation)) == "typing.Literal" else ()


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "this machine's name"
    if field.default is None or field.default is PydanticUndefined:
        return "–"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`"


# Commands


def operator_page() -> str:
    root = typer.main.get_command(operator_app)
    sections = [line for command in _commands(root, "packhouse") for line in _command_section(*command)]
    return _page(
        "Operator's commands",
        "What an operator types on the server. Words go to stderr and data to stdout; exit code 1 means that it "
        "did not work, 2 that it was asked wrongly. Every option that is a setting is explained in "
        "[settings](settings.md).",
        *sections,
    )


def cli_page() -> str:
    root = typer.main.get_command(client_app)
    sections = [line for command in _commands(root, "conda repo") for line in _command_section(*command)]
    return _page(
        "Commands of `conda repo`",
        "What people type, as `conda repo`, `anaconda repo` or `conda-repo`; "
        "[the command line](../guides/command-line.md) tells how to set it up. Data goes to stdout and words to "
        "stderr. Every command that prints data or changes something takes `--json`, and no command asks "
        "anything where standard input is no terminal.\n\n"
        + "\n".join(_table(("exit code", "meaning"), EXIT_CODES))
        + "\n\nThese options stand before the command's name, as in `conda repo --site work channel --list`:\n\n"
        + "\n".join(_options(root, "conda repo")),
        *sections,
    )


EXIT_CODES = (
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong usage"),
    ("3", "not logged in, or the log-in or token is not valid any more"),
    ("4", "not allowed"),
    ("5", "not found"),
    ("6", "conflict: it is there already with other content, or the channel is frozen"),
    ("130", "interrupted with Ctrl-C"),
)


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its words. Typer's classes are no longer those of click."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, one in inner.items():
        yield from _commands(one, f"{path} {name}")


def _command_section(path: str, command: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=path)
    usage = command.get_usage(context).removeprefix("Usage: ")
    yield f"## `{path}`\n\n{command.help}\n\n```text\n{usage}\n```\n"
    yield from _options(command, path)
    yield ""


def _options(command: Any, path: str) -> Iterator[str]:
    context = command.context_class(command, info_name=path)
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    yield from _table(("option", "what it does"), [(f"`{names}`", meaning) for names, meaning in records])


# API


def api_page() -> str:
    document = _openapi()
    sections: list[str] = []
    for tag, operations in _by_tag(document).items():
        sections.append(f"## {tag.capitalize()}\n")
        for heading, operation in operations.items():
            sections += _operation_section(heading, operation, document)
    return _page(
        "HTTP API",
        "The same as `/api/openapi.json` of a running server, for people. Everything below `/api` is there below "
        "`/api/repo` too, since existing clients ask for either. `{C}` is a channel, `/api/channels/{channel}`, or "
        "a subchannel, `/api/channels/{channel}/subchannels/{subchannel}`.\n\n"
        "A credential is taken as `Authorization: Bearer SECRET`, `Authorization: token SECRET`, `X-Auth: SECRET`, "
        "or Basic with the secret, or with the user's own password, as its password. The secret is a token or the "
        "session of a log-in.\n\n"
        'Every refusal has the same body, `{"error": {"code", "message"}, "code", "message"}`:\n\n'
        + "\n".join(_table(("code", "status", "when"), _error_rows()))
        + "\n\nWhere package files and indexes lie is in [content](content.md); what is told of mirrors, in "
        "[the JSON of mirrors](mirrors.md).",
        *sections,
    )


def _openapi() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder))
        database = Database(settings.effective_database_url)
        blobs = open_blobs(settings.effective_blob_url, {})
        return openapi_document(Packhouse(settings, database, blobs))


def _error_rows() -> list[tuple[str, ...]]:
    """The sentences are those of the tree in the docstring of `packhouse.errors`."""
    meanings = dict(re.findall(r"(\w+) {2,}(\S.*)", errors.__doc__ or ""))
    return [(f"`{error.code}`", str(status), meanings[error.__name__]) for error, status in STATUSES.items()]


def _by_tag(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Tag -> heading -> operation; an operation that two addresses share has one heading."""
    found: dict[str, dict[str, Any]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            heading = f"{method.upper()} {_short(path)}"
            found.setdefault(operation["tags"][0], {}).setdefault(heading, operation)
    return found


def _short(path: str) -> str:
    for long in ANY_CHANNEL:
        rest = path.removeprefix(long)
        if rest != path and not rest.startswith(("/subchannels", "/{")):
            return "{C}" + rest
    return path


def _operation_section(heading: str, operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield f"### `{heading}`\n"
    yield f"{operation['description']}\n"
    rows = [
        (f"`{one['name']}`", one["in"], _type(_followed(one["schema"], document)), one.get("description", ""))
        for one in operation.get("parameters", [])
        if one["in"] != "path"
    ]
    rows += [
        (f"`{name}`" + ("" if name in required else " (optional)"), "body", _type(schema), _described(schema))
        for name, schema, required in _fields(operation, document)
    ]
    yield from _table(("field", "in", "type", "what it is"), rows)
    codes = [code for code in operation["responses"] if code.isdigit()]
    yield f"{'' if not rows else chr(10)}Answers {', '.join(codes)}.\n"


def _fields(operation: Mapping[str, Any], document: Any) -> Iterator[tuple[str, Any, list[str]]]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for name, inner in schema.get("properties", {}).items():
            yield name, _followed(inner, document), schema.get("required", [])


def _followed(schema: dict[str, Any], document: Any) -> dict[str, Any]:
    """The schema with the enumerations it refers to in it, which is where their values are."""
    kinds = [schema, *schema.get("anyOf", [])]
    for kind in kinds:
        if "$ref" in kind:
            target = document["components"]["schemas"][kind["$ref"].rpartition("/")[2]]
            return {**schema, "enum": target["enum"]} if "enum" in target else schema
    return schema


def _type(schema: Mapping[str, Any]) -> str:
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return " or ".join(_values(schema) or [word for kind in kinds for word in _values(kind) or [_kind(kind)]])


def _values(schema: Mapping[str, Any]) -> list[str]:
    return [f"`{value}`" for value in schema.get("enum", ())]


def _kind(schema: Mapping[str, Any]) -> str:
    return str(schema.get("type", "object"))


def _described(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    ending = "" if default in (None, "") else f" Left out: `{default}`."
    return f"{schema.get('description', '')}{ending}".strip()


# Pages


def _page(title: str, introduction: str, *lines: str) -> str:
    return "\n".join([MADE, "", f"# {title}", "", introduction, "", *lines]).rstrip() + "\n"


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        if number == 0:
            yield f"| {' | '.join(heading)} |"
            yield f"| {' | '.join('---' for _ in heading)} |"
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "operator.md": operator_page,
    "api.md": api_page,
    "cli.md": cli_page,
}

if __name__ == "__main__":
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make())
