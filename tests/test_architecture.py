"""Imports point down only, as docs/architecture.md draws them; modules are short and say what they are for."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
SERVER = SOURCE / "packhouse"
CLIENT = SOURCE / "packhouse_client"
MODULES = sorted([*SERVER.rglob("*.py"), *CLIENT.rglob("*.py")])
MAX_LINES = 400

FOR_ALL = {"packhouse", "packhouse.errors", "packhouse.settings", "packhouse.logs"}
MAY_IMPORT = {
    "domain": set(),
    "formats": {"domain"},
    "storage": {"domain"},
    "remotes": {"domain", "formats"},
    "actions": {"domain", "formats", "storage", "remotes"},
    "jobs": {"actions", "domain", "storage"},
    "web": {"actions", "domain", "formats", "storage"},
    "app": {"actions", "domain", "formats", "jobs", "remotes", "storage", "web"},
    "__main__": {"actions", "app", "domain", "storage", "web"},
    "__init__": set(),
    "errors": set(),
    "settings": set(),
    "logs": set(),
}


def _module_name(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts)


def _imports(file: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file names in an import, with its line; relative ones made absolute."""
    package = _module_name(file).split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text(), file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "packhouse":  # `from packhouse import errors` names a module too
                yield from ((f"packhouse.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield module, node.lineno


def _layer(module: str) -> str:
    """`packhouse.storage.blobs` is in `storage`, `packhouse.app` is one of its own."""
    return module.split(".")[1] if "." in module else "__init__"


def _is_layer(name: str) -> bool:
    return (SERVER / name).is_dir() or (SERVER / f"{name}.py").exists()


def _wrong_arrows(file: Path) -> Iterator[str]:
    here = _layer(_module_name(file))
    for module, line in _imports(file):
        inside = module.startswith("packhouse.") and module not in FOR_ALL
        there = _layer(module)
        if inside and _is_layer(there) and there != here and there not in MAY_IMPORT[here]:
            yield f"{file.relative_to(SOURCE)}:{line} imports {module}"


def test_imports_point_down() -> None:
    assert [arrow for file in SERVER.rglob("*.py") for arrow in _wrong_arrows(file)] == []


def test_every_layer_has_its_place_in_the_table() -> None:
    assert {_layer(_module_name(file)) for file in SERVER.rglob("*.py")} <= set(MAY_IMPORT)


DOMAIN_LIBRARIES = {"license_expression"}
"""What a licence text says is a matter of the domain, and how it is parsed is not ours to invent."""


def test_the_domain_knows_only_itself_and_the_standard_library() -> None:
    others = {
        f"{file.name}:{line} imports {module}"
        for file in (SERVER / "domain").rglob("*.py")
        for module, line in _imports(file)
        if module.split(".")[0] not in {*sys.stdlib_module_names, *DOMAIN_LIBRARIES, "packhouse"}
    }
    assert others == set()


def test_formats_know_no_database_and_no_web() -> None:
    strangers = {"sqlalchemy", "fastapi", "starlette", "obstore", "dbos", "granian"}
    found = {
        f"{file.name}:{line} imports {module}"
        for file in (SERVER / "formats").rglob("*.py")
        for module, line in _imports(file)
        if module.split(".")[0] in strangers
    }
    assert found == set()


def test_the_client_imports_nothing_of_the_server() -> None:
    found = {
        f"{file.name}:{line} imports {module}"
        for file in CLIENT.rglob("*.py")
        for module, line in _imports(file)
        if module.split(".")[0] == "packhouse"
    }
    assert found == set()


def test_an_arrow_that_points_up_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "packhouse" / "domain" / "channels.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from packhouse import errors\nfrom ..storage import channels\nimport packhouse.web.errors\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)

    assert list(_wrong_arrows(file)) == [
        "packhouse/domain/channels.py:2 imports packhouse.storage",
        "packhouse/domain/channels.py:3 imports packhouse.web.errors",
    ]


@pytest.mark.parametrize("file", MODULES, ids=_module_name)
def test_a_module_says_what_it_is_for_and_is_short(file: Path) -> None:
    text = file.read_text()

    assert not text.strip() or ast.get_docstring(ast.parse(text)), (
        "the first line says what the module is for"
    )
    assert len(text.splitlines()) <= MAX_LINES
