"""The operator's commands as an operator types them."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from typer.main import get_command

from packhouse import __main__ as commands
from packhouse.settings import Settings


@dataclass(frozen=True)
class Answer:
    exit_code: int
    stdout: str
    stderr: str


class Operator:
    """Types commands in a folder of their own, with no settings but those given."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capture = capture

    def types(self, *words: str, stdin: str = "", **environment: str) -> Answer:
        with self._monkeypatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["packhouse", *words])
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            for name in [name for name in os.environ if name.startswith("PACKHOUSE_")]:
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                commands.main()
        output = self._capture.readouterr()
        return Answer(int(ended.value.code or 0), output.out, output.err)


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Operator]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Operator(tmp_path, monkeypatch, capsys)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_help_imports_nothing_heavy() -> None:
    heavy = {"sqlalchemy", "pydantic", "fastapi", "granian", "dbos", "rattler", "structlog", "cryptography"}
    script = "import sys, packhouse.__main__; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert heavy & set(run.stdout.split()) == set()


def test_version_is_data_on_stdout(operator: Operator) -> None:
    run = operator.types("--version")

    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout.strip() == commands.__version__


@pytest.mark.parametrize("words", [["serve", "--no-such-option"], ["user", "add"], ["no-such-command"]])
def test_wrong_usage_is_exit_code_2(operator: Operator, words: list[str]) -> None:
    assert operator.types(*words).exit_code == 2


@pytest.mark.parametrize("name", ["serve", "worker", "migrate"])
def test_every_option_of_a_service_is_a_setting(name: str) -> None:
    command = get_command(commands.app).commands[name]  # type: ignore[attr-defined]  # it is a group

    assert {option.name for option in command.params} - {"help"} <= set(Settings.model_fields)


def test_a_wrong_setting_is_one_sentence_and_exit_code_1(operator: Operator) -> None:
    run = operator.types("migrate", PACKHOUSE_PORT="many")

    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr.startswith("Error: Setting 'port'")
    assert len(run.stderr.splitlines()) == 1


def test_migrate_makes_the_database_and_may_be_repeated(operator: Operator) -> None:
    for _ in range(2):
        run = operator.types("migrate", "--data-dir", "house")
        assert (run.exit_code, run.stdout) == (0, "")
    assert (operator.folder / "house" / "packhouse.db").exists()


def test_a_user_is_added_listed_and_given_another_password(operator: Operator) -> None:
    added = operator.types(
        "user", "add", "ann", "--role", "admin", "--password-stdin", stdin="a-long-secret\n"
    )
    changed = operator.types("user", "password", "ann", "--password-stdin", stdin="another-secret\n")
    listed = operator.types("user", "list", "--json")

    assert (added.exit_code, added.stdout, added.stderr) == (0, "", "User 'ann' is there, as admin.\n")
    assert (changed.exit_code, changed.stderr) == (0, "The password of 'ann' is changed.\n")
    assert json.loads(listed.stdout) == [{"name": "ann", "role": "admin", "email": None}]


def test_a_password_is_never_asked_for_where_nobody_can_answer(operator: Operator) -> None:
    run = operator.types("user", "add", "ann")

    assert run.exit_code == 1
    assert "--password-stdin" in run.stderr


def test_an_unknown_user_is_named(operator: Operator) -> None:
    run = operator.types("user", "password", "nobody", "--password-stdin", stdin="a-long-secret\n")

    assert run.exit_code == 1
    assert run.stderr.startswith("Error: ")
    assert "nobody" in run.stderr
    assert "Traceback" not in run.stderr
