"""One line an event, for people or for programs, to stderr, and never with a secret in it.

Everything that logs comes through here: our own events (structlog), and what Granian, DBOS,
Alembic and SQLAlchemy say through the standard library's logging.
"""

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter

Format = Literal["text", "json"]

MASK = "***"
LIBRARIES_AT_WARNING = ("sqlalchemy", "alembic", "httpx", "httpcore", "dbos")
"""Their news at `info` is of their own inner life; at `debug` the operator gets it all."""

_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:password|passwd|secret|token|authorization|auth|cookie|jwt|credentials?"
    r"|(?:api|access|private|secret)[_-]?key(?:[_-]id)?)$",
    re.IGNORECASE,
)
_SECRETS = (
    # in the path of a conda client
    (re.compile(r"(/t/)[^/\s?#\"']+"), rf"\1{MASK}"),
    # user:password@ of a URL; a password may hold an unquoted '@', so as far as the last one goes
    (re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:/@\"']*:)[^\s/\"']*(@)"), rf"\1{MASK}\2"),
    # headers
    (re.compile(r"(?i)\b(authorization|x-auth|cookie)(b?['\"]?\s*[:=,]\s*).+"), rf"\1\2{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic|token)(\s+)[A-Za-z0-9._~+/=-]{16,}"), rf"\1\2{MASK}"),
    # a JSON Web Token
    (re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), MASK),
    # key=value, key: value, "key": "value"
    (
        re.compile(
            r"(?i)((?:password|passwd|secret(?:_access)?(?:_key)?|access_key(?:_id)?|api_?key|token)"
            r"['\"]?\s*[:=]\s*)(?:'[^']*'|\"[^\"]*\"|\S+)"
        ),
        rf"\1{MASK}",
    ),
    # a token of ours (48 hex digits, which a SHA-256 never is)
    (re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{48}(?![0-9A-Fa-f])"), MASK),
)


def configure_logs(level: str, format: Format, stream: TextIO | None = None) -> None:
    """Send every log of this process to `stream` (stderr), from `level` on. May be called again."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.contextvars.merge_contextvars,
            *_shared_processors(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    _adopt_libraries(debug=level == "debug")


def mask(text: str) -> str:
    """`text` without what looks like a secret."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def mask_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last processor before an event becomes text: by name, and by what the values look like."""
    return {name: _masked(name, value) for name, value in event.items()}


def _masked(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name) and value is not None:
        return MASK
    if isinstance(value, dict):
        return {key: _masked(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked("", inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return mask(value if isinstance(value, str) else str(value))


def _shared_processors() -> list[Any]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def _formatter(format: Format) -> ProcessorFormatter:
    return ProcessorFormatter(
        foreign_pre_chain=[*_shared_processors(), structlog.stdlib.ExtraAdder()],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            mask_event,
            render_text if format == "text" else render_json,
        ],
    )


def render_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, default=str)


def render_text(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """`2026-11-22T12:00:00Z info packhouse.jobs: reindexed channel=a/b names=3`, a traceback below it."""
    fields = dict(event)
    time, level, logger = (fields.pop(name, "") for name in ("timestamp", "level", "logger"))
    message, *below = str(fields.pop("event", "")).split("\n")
    below += str(fields.pop("exception", "")).split("\n")
    words = [f"{time} {level} {logger}: {_printable(message)}"]
    words += [f"{name}={_value(value)}" for name, value in fields.items()]
    return "\n".join([" ".join(words), *(f"    {_printable(line)}" for line in below if line)])


def _printable(line: str) -> str:
    """No control characters: a client must not write lines of its own, nor to the terminal."""
    return line if line.isprintable() else line.encode("unicode_escape").decode("ascii")


def _value(value: Any) -> str:
    text = _printable(str(value))
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' "=') else text


def _adopt_libraries(debug: bool) -> None:
    """Take away handlers that libraries gave themselves, and the news that nobody asked for."""
    for name in LIBRARIES_AT_WARNING:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.NOTSET if debug else logging.WARNING)
