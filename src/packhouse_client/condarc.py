"""conda's own configuration, `.condarc`: where it lies, and how it is read, changed, kept and put back.

It is edited here, and not by `conda config`: conda need not be there, and comments stay.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packhouse_client.errors import BadConfiguration, WrongUsage
from packhouse_client.whole_file import NEW_FILE_MODE, whole_file

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

NAME = ".condarc"
MACHINE_FOLDER = Path("/etc/conda")


@dataclass(frozen=True, slots=True)
class CondaSettings:
    """What makes conda install from one server: its channels, by their bare names."""

    channel_alias: str
    default_channels: list[str]
    channels: list[str]

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


# Where it lies


def user_condarc() -> Path:
    """`$CONDARC`, which conda lets win over all others, or `~/.condarc`."""
    chosen = os.environ.get("CONDARC", "").strip()
    return Path(chosen).expanduser() if chosen else _home() / NAME


def system_condarc() -> Path:
    """That of the conda installation, or of the machine where none is found."""
    root = _conda_root()
    return (MACHINE_FOLDER if root is None else root) / NAME


def environment_condarc() -> Path:
    """Raises WrongUsage where no environment is active."""
    prefix = os.environ.get("CONDA_PREFIX")
    if not prefix:
        raise WrongUsage("No conda environment is active. Activate one, or name the file: --file FILE.")
    return Path(prefix) / NAME


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise BadConfiguration("Your home folder is not known. Name the file: --file FILE.") from error


def _conda_root() -> Path | None:
    if root := os.environ.get("CONDA_ROOT"):
        return Path(root)
    program = os.environ.get("CONDA_EXE") or shutil.which("conda")
    return Path(program).resolve().parent.parent if program else None


# Reading


def read_condarc(path: Path) -> bytes | None:
    """The file's content, None if there is no file. Raises BadConfiguration for one that conda could not read."""
    content = _bytes(path)
    if content is not None:
        _load(path, _text(path, content))
    return content


def _bytes(path: Path) -> bytes | None:
    with _said_of(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConfiguration(f"{path} is not valid YAML: it is not in UTF-8. Mend or remove it.") from error


def _load(path: Path, text: str) -> "CommentedMap":
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError

    try:
        document = _yaml(text).load(text)
    except YAMLError as error:
        raise BadConfiguration(f"{path} is not valid YAML: {_problem(error)}. Mend or remove it.") from error
    if document is None:
        return CommentedMap()
    if not isinstance(document, CommentedMap):
        raise BadConfiguration(f"{path} must hold names and values. Mend or remove it.")
    return document


def _problem(error: Exception) -> str:
    """What is wrong and in which line; the whole message is long and tells of ruamel.yaml's own options."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem is None or mark is None:
        return " ".join(str(error).split())
    return f"{problem}, line {mark.line + 1}"


def _yaml(text: str) -> "YAML":
    """Reads and writes in the way that this text is written in."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # long values stay on their line
    yaml.explicit_start = re.search(r"^---\s*$", text, re.MULTILINE) is not None
    if re.search(r"^- ", text, re.MULTILINE):
        yaml.indent(mapping=2, sequence=2, offset=0)
    else:
        yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


# Changing


def change_condarc(path: Path, content: bytes | None, settings: CondaSettings) -> bytes:
    """The content with these settings in place of its own; everything else in it stays, comments as well."""
    text = "" if content is None else _text(path, content)
    newline = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n")
    document = _load(path, text)
    front = "" if document else text  # nothing but comments, which a document of nothing cannot hold
    if front and not front.endswith("\n"):
        front += "\n"
    _put(document, settings.as_document())
    written = StringIO()
    _yaml(text).dump(document, written)
    return (front + written.getvalue()).replace("\n", newline).encode()


def _put(document: "CommentedMap", values: Mapping[str, Any]) -> None:
    """Replace values, and keep the comments behind them: ruamel.yaml hangs these on what stands in front of them."""
    from ruamel.yaml.comments import CommentedSeq

    for key, value in values.items():
        old = document.get(key)
        if old == value:
            continue
        behind = (
            _take_comment_behind(document, key)
            if isinstance(value, list) or isinstance(old, list | dict)
            else ""
        )
        document[key] = CommentedSeq(value) if isinstance(value, list) else value
        if behind:
            _hang(document, key, behind)


def _hang(document: "CommentedMap", key: str, comment: str) -> None:
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    token = CommentToken(f"\n{comment}", CommentMark(0))
    if isinstance(document[key], list):
        document[key].ca.items[len(document[key]) - 1] = [token, None, None, None]
    else:
        document.ca.items.setdefault(key, [None, None, None, None])[2] = token


def _take_comment_behind(container: Any, key: Any) -> str:
    """The lines between this value and the next key. What stands on the value's own last line goes with it."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    value = container[key] if key in container or isinstance(container, CommentedSeq) else None
    if isinstance(value, CommentedSeq | CommentedMap) and value and not value.fa.flow_style():
        return _take_comment_behind(
            value, len(value) - 1 if isinstance(value, CommentedSeq) else list(value)[-1]
        )
    hung = container.ca.items.get(key)
    slot = 0 if isinstance(container, CommentedSeq) else 2
    token = hung[slot] if hung else None
    if token is None:
        return ""
    hung[slot] = None
    return str(token.value.partition("\n")[2])


# Writing


def backup_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.backup")


def write_condarc(path: Path, content: bytes) -> None:
    """Put the content in place, whole or not at all; a link stays one, and so do owner and permissions."""
    with _said_of(path):
        target = path.resolve()
        _replace(target, content, target.stat() if target.exists() else None)


def keep_backup(path: Path) -> Path:
    """Copy the file to where `restore_condarc` looks for it."""
    kept = backup_path(path)
    with _said_of(kept):
        _replace(kept, path.read_bytes(), path.stat())  # it may hold passwords of proxies
    return kept


def restore_condarc(path: Path) -> bool:
    """Put the backup back, byte for byte; whether there was one. It stays where it is."""
    kept = backup_path(path)
    with _said_of(kept):
        if not kept.is_file():
            return False
        content, like = kept.read_bytes(), kept.stat()
    with _said_of(path):
        target = path.resolve()
        _replace(target, content, target.stat() if target.exists() else like)
    return True


def _replace(target: Path, content: bytes, like: os.stat_result | None) -> None:
    """Write a file anew, with the owner and permissions of `like`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = NEW_FILE_MODE if like is None else stat.S_IMODE(like.st_mode)
    with whole_file(target, mode) as file:
        if like is not None:
            _give(file.fileno(), like)
        file.write(content)


def _give(descriptor: int, like: os.stat_result) -> None:
    """What the umask held back, and the owner where that is allowed: whoever runs this as root is not the owner."""
    with suppress(AttributeError, PermissionError):  # Windows has neither
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        os.fchown(descriptor, like.st_uid, like.st_gid)


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """Failures name the user's file, and not one that was only on the way to it."""
    try:
        yield
    except OSError as error:
        raise BadConfiguration(f"{path} cannot be read or written: {error.strerror}.") from error
