"""An environment file (`environment.yml`): what `conda env create` reads."""

from typing import BinaryIO

from packhouse.domain.artifacts import FileFacts, JsonObject
from packhouse.domain.families import ENVIRONMENT, Declared
from packhouse.errors import InvalidPackage
from packhouse.formats.files.names import check_name, check_version, stem
from packhouse.formats.files.text import shown
from packhouse.formats.files.yaml import MAX_BYTES, read_mapping

EXTENSIONS = (".yml", ".yaml")
MAX_CHANNELS = 20


def read_environment(file: BinaryIO, filename: str, declared: Declared) -> FileFacts:
    """Raises InvalidPackage for what is no environment, TooLarge for one beyond the limits."""
    own_name = stem(filename, *EXTENSIONS)
    environment = read_mapping(file.read(MAX_BYTES + 1), filename)
    if "name" not in environment and "dependencies" not in environment:
        raise InvalidPackage(f"{filename} is no environment: it has neither 'name' nor 'dependencies'.")
    return FileFacts(
        family=ENVIRONMENT,
        name=declared_or_own(declared, environment, own_name),
        version="" if declared.version is None else check_version(declared.version),
        filename=filename,
        about=_about(environment, filename),
        details=_details(environment, filename),
    )


def declared_or_own(declared: Declared, document: JsonObject, own_name: str) -> str:
    """The sender's name for the file, else the one in it, else that of the file; the first one given counts."""
    inside = document.get("name")
    return check_name(declared.name or (inside if isinstance(inside, str) and inside else own_name))


def _about(environment: JsonObject, filename: str) -> JsonObject:
    channels = _texts(_list(environment, "channels", filename)[:MAX_CHANNELS])
    facts = {"summary": shown(environment.get("description")), "channels": channels}
    return {key: value for key, value in facts.items() if value}


def _details(environment: JsonObject, filename: str) -> JsonObject:
    dependencies = _list(environment, "dependencies", filename)
    pip = [text for one in dependencies if isinstance(one, dict) for text in _pip(one)]
    return {"dependencies": _texts(dependencies), "pip": pip}


def _list(environment: JsonObject, key: str, filename: str) -> list[object]:
    found = environment.get(key) or []
    if not isinstance(found, list):
        raise InvalidPackage(f"{filename} is no environment: its '{key}' is no list.")
    return found


def _pip(dependency: JsonObject) -> list[str]:
    """conda takes requirements for pip as a list below the one key `pip`."""
    found = dependency.get("pip")
    return _texts(found) if isinstance(found, list) else []


def _texts(values: list[object]) -> list[str]:
    return [text for value in values if (text := shown(value)) is not None]
