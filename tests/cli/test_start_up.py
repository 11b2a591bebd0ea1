"""What `--help` and `--version` may cost: nothing that only a command needs."""

import subprocess
import sys

import pytest

HEAVY = (
    "requests",
    "urllib3",
    "requests_toolbelt",
    "rich",
    "ruamel",
    "tomlkit",
    "tomllib",
    "pydantic",
    "backports",
    "asyncio",
    "ssl",
    "email",
    "importlib.metadata",
    "packhouse_client.client",
    "packhouse_client.commands.",
    "packhouse_client.configuration",
    "packhouse_client.failures",
)
MODULES = "import sys; before = set(sys.modules); {}; print(*sorted(set(sys.modules) - before))"


def imported_by(lines: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", MODULES.format(lines)], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize("words", [["--help"], ["--version"], []])
def test_nothing_heavy_is_imported(words: list[str]) -> None:
    modules = imported_by(f"from packhouse_client.__main__ import main; main({words!r})")

    assert "packhouse_client.app" in modules
    assert [name for name in modules if name.startswith(HEAVY)] == []


def test_conda_loads_the_plugin_for_next_to_nothing() -> None:
    """It does so for each of its own commands."""
    modules = imported_by("import packhouse_client.conda_plugin")

    assert [name for name in modules if name.startswith("packhouse_client")] == [
        "packhouse_client",
        "packhouse_client.conda_plugin",
    ]
    assert "typer" not in modules


def test_a_command_imports_no_other_one() -> None:
    modules = imported_by("from packhouse_client.__main__ import main; main(['wizard', '--help'])")

    assert [name for name in modules if name.startswith("packhouse_client.commands.")] == [
        "packhouse_client.commands.options",
        "packhouse_client.commands.wizard",
        "packhouse_client.commands.wizard_dialogue",
    ]
