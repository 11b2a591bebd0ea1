"""The files that are to be published, looked at before the first byte is sent."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from re import sub
from tempfile import TemporaryDirectory

from packhouse_client.detection import (
    Finding,
    PackageType,
    detect,
    is_called_a_conda_package,
    is_project_folder,
)
from packhouse_client.errors import WrongUsage
from packhouse_client.publishing.projects import pack_project

READ_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Declared:
    """What the user says of the files; what is left out is found out or not sent."""

    package_type: PackageType | None = None
    name: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class LocalFile:
    given: str
    """As the user wrote it."""
    path: Path
    """Where the bytes are: of a project folder, its archive."""
    size: int
    finding: Finding
    name: str | None = None
    version: str | None = None

    @property
    def package_type(self) -> PackageType:
        return self.finding.package_type

    @property
    def form(self) -> Mapping[str, str]:
        """What an upload says beside the bytes."""
        said = {"filetype": self.package_type.filetype, "name": self.name, "version": self.version}
        return {key: value for key, value in said.items() if value}

    @property
    def ckey(self) -> str | None:
        """Where servers put the file in a channel; None where that cannot be said beforehand."""
        filename = self.path.name
        match self.package_type:
            case PackageType.CONDA:
                return None if self.finding.subdir is None else f"{self.finding.subdir}/{filename}"
            case PackageType.NOTEBOOK:
                return f"jupyter/{self.name or self.path.stem}.ipynb"
            case PackageType.ENVIRONMENT:
                return f"env/{filename}"
            case PackageType.PROJECT:
                return f"project/{filename}"
            case PackageType.GENERAL:
                return "/".join(part for part in ("gra", self.name, self.version, filename) if part)
            case PackageType.WHEEL:
                return f"simple/{sub('[-_.]+', '-', filename.partition('-')[0]).lower()}/{filename}"
        return None

    def sha256(self, on_read: Callable[[int], None]) -> str:
        """Read from end to end; `on_read` is told how many bytes so far."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                digest.update(chunk)
                on_read(file.tell())
        return digest.hexdigest()


class Questions:
    """Asks for what a file does not tell, where the user wants to be asked; else None is the answer."""

    def package_type(self, given: str) -> PackageType | None:
        return None

    def name(self, given: str) -> str | None:
        return None


@contextmanager
def prepared(
    given: Sequence[str], declared: Declared, questions: Questions, on_left_out: Callable[[str], None]
) -> Iterator[list[LocalFile]]:
    """Every file, checked, with its type; archives of folders are gone when this ends.

    Raises WrongUsage that names all files that cannot be published.
    """
    with TemporaryDirectory(prefix="conda-repo-") as folder:
        files, problems = [], []
        for number, text in enumerate(dict.fromkeys(given)):
            place = Path(folder) / str(number)
            try:
                files.append(_prepare(text, declared, questions, place, on_left_out))
            except WrongUsage as error:
                problems.append(error.message)
            except OSError as error:
                problems.append(f"'{text}' cannot be read: {error.strerror or error}.")
        if problems:
            raise WrongUsage("\n".join([*problems, *(["Nothing was sent."] if len(given) > 1 else [])]))
        yield files


def _prepare(
    text: str,
    declared: Declared,
    questions: Questions,
    place: Path,
    on_left_out: Callable[[str], None],
) -> LocalFile:
    path = Path(text).expanduser()
    _check(path, text, declared.package_type)
    finding = _find(path, text, declared.package_type, questions)
    name = declared.name
    if finding.package_type is PackageType.GENERAL and not name:
        name = questions.name(text)
        if not name:
            raise WrongUsage(f"A general artifact (gra) needs a name: --name NAME for '{text}'.")
    if path.is_dir():
        place.mkdir()
        path = pack_project(path, place, lambda link: on_left_out(f"{text}/{link}"))
    return LocalFile(text, path, path.stat().st_size, finding, name, declared.version)


def _check(path: Path, text: str, package_type: PackageType | None) -> None:
    """Raises WrongUsage for what is missing, empty or no file, OSError for what may not be read."""
    if not path.exists():
        raise WrongUsage(f"There is no file '{text}'.")
    if path.is_dir():
        _check_folder(path, text, package_type)
        return
    if not path.is_file():
        raise WrongUsage(f"'{text}' is no regular file.")
    with path.open("rb") as file:
        if not file.read(1):
            raise WrongUsage(f"'{text}' is empty.")


def _check_folder(path: Path, text: str, package_type: PackageType | None) -> None:
    if package_type not in (None, PackageType.PROJECT):
        raise WrongUsage(f"'{text}' is a folder; only a project can be uploaded as one.")
    if not is_project_folder(path):
        raise WrongUsage(
            f"'{text}' is a folder without anaconda-project.yml, so it is no project. Name a file."
        )


def _find(path: Path, text: str, said: PackageType | None, questions: Questions) -> Finding:
    """The type that the user says, else that of the content, else the answer to the question."""
    found = detect(path) if said in (None, PackageType.CONDA) else None
    if said is not None:
        return found if found is not None and found.package_type is said else Finding(said)
    if found is not None:
        return found
    asked = questions.package_type(text)
    if asked is None and is_called_a_conda_package(path):
        raise WrongUsage(
            f"'{text}' holds no info/index.json that can be read: it is damaged, was cut off, or is no conda package."
        )
    if asked is None:
        raise WrongUsage(
            f"Could not detect package type of file '{text}' please specify package type with option "
            "--package-type"
        )
    return Finding(asked)
