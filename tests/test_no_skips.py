"""CI fails on a skipped test."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("body", "workers", "exit_code"),
    [
        ("import pytest\n@pytest.mark.xfail\ndef test_a(): raise ValueError", [], 0),
        ("import pytest\ndef test_a(): pytest.skip('no client')", [], 1),
        ("import pytest\ndef test_a(): pytest.skip('no client')", ["-n1"], 1),
        ("import pytest\npytest.skip('no client', allow_module_level=True)", [], 1),
    ],
)
def test_a_skip_fails_the_run(tmp_path: Path, body: str, workers: list[str], exit_code: int) -> None:
    (tmp_path / "test_good.py").write_text("def test_good(): pass\n")
    (tmp_path / "test_other.py").write_text(body)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.no_skips",
        f"--rootdir={tmp_path}",
        *workers,
    ]
    run = subprocess.run([*command, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == exit_code, run.stdout + run.stderr
