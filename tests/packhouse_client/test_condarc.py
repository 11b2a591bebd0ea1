"""`.condarc`: where it lies, and what is left of it when it is changed and put back."""

import os
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from packhouse_client.condarc import (
    CondaSettings,
    change_condarc,
    environment_condarc,
    keep_backup,
    read_condarc,
    restore_condarc,
    system_condarc,
    user_condarc,
    write_condarc,
)
from packhouse_client.errors import BadConfiguration, WrongUsage

SETTINGS = CondaSettings("https://house/api/repo", ["main", "tools"], ["defaults", "nightly"])
WRITTEN = """\
channel_alias: https://house/api/repo
default_channels:
  - main
  - tools
channels:
  - defaults
  - nightly
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONDARC", "CONDA_ROOT", "CONDA_EXE", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


@pytest.fixture
def condarc(home: Path) -> Path:
    return home / ".condarc"


def changed(text: str) -> str:
    return change_condarc(Path("condarc"), text.encode(), SETTINGS).decode()


def loaded(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def assert_has_settings(text: str) -> None:
    document = loaded(text)
    assert {key: document[key] for key in SETTINGS.as_document()} == SETTINGS.as_document()


# Where it lies


def test_the_users_file_is_in_the_home_folder(home: Path) -> None:
    assert user_condarc() == home / ".condarc"


def test_condarc_of_the_environment_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDARC", "~/elsewhere.yml")

    assert user_condarc() == home / "elsewhere.yml"


def test_blank_condarc_names_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDARC", " ")

    assert user_condarc() == home / ".condarc"


def test_the_systems_file_is_that_of_the_conda_root(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_ROOT", str(home / "conda"))

    assert system_condarc() == home / "conda/.condarc"


@pytest.mark.parametrize("place", ["bin/conda", "condabin/conda", "Scripts/conda.exe"])
def test_the_conda_root_is_where_the_program_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("CONDA_EXE", str(home / "conda" / place))

    assert system_condarc() == home / "conda/.condarc"


def test_the_conda_root_is_found_through_a_link_on_the_path(home: Path) -> None:
    program = home / "conda/bin/conda"
    for folder in (program.parent, home / "bin"):
        folder.mkdir(parents=True)
    program.touch(mode=0o755)
    (home / "bin/conda").symlink_to(program)

    assert system_condarc() == home / "conda/.condarc"


def test_without_conda_the_systems_file_is_that_of_the_machine() -> None:
    assert system_condarc() == Path("/etc/conda/.condarc")


def test_the_environments_file_is_in_its_prefix(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_PREFIX", str(home / "envs/work"))

    assert environment_condarc() == home / "envs/work/.condarc"


def test_without_an_active_environment_its_file_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="No conda environment is active"):
        environment_condarc()


# Changing


def test_an_empty_file_gets_the_settings() -> None:
    assert changed("") == WRITTEN


def test_a_file_that_is_not_there_gets_the_settings() -> None:
    assert change_condarc(Path("condarc"), None, SETTINGS).decode() == WRITTEN


def test_a_file_of_comments_keeps_them() -> None:
    assert changed("# mine\n# all mine") == f"# mine\n# all mine\n{WRITTEN}"


def test_the_same_settings_again_change_nothing() -> None:
    assert changed(WRITTEN) == WRITTEN


def test_other_keys_stay_where_they_are() -> None:
    text = "ssl_verify: true\nchannels: [old]\nproxy_servers:\n  http: http://user:word@proxy:3128\n"

    assert list(loaded(changed(text))) == [
        "ssl_verify",
        "channels",
        "proxy_servers",
        "channel_alias",
        "default_channels",
    ]
    assert loaded(changed(text))["proxy_servers"] == loaded(text)["proxy_servers"]


def test_comments_stay_before_behind_and_beside_what_they_explain() -> None:
    text = """\
# of the whole
channels:   # beside the key
  - old   # goes with the old list
  - older

# before ssl
ssl_verify: "yes"  # beside ssl
# at the end
"""
    assert (
        changed(text)
        == """\
# of the whole
channels:   # beside the key
  - defaults
  - nightly

# before ssl
ssl_verify: "yes"  # beside ssl
# at the end
channel_alias: https://house/api/repo
default_channels:
  - main
  - tools
"""
    )


@pytest.mark.parametrize("old", ["[a, b]", "[]", "", "null", "one", "\n  - a", "\n- a", "{a: b}"])
def test_a_comment_behind_what_is_replaced_stays_before_the_next_key(old: str) -> None:
    text = changed(f"channels: {old}\n# of ssl\nssl_verify: false\n")

    assert_has_settings(text)
    assert "\n# of ssl\nssl_verify: false\n" in text


def test_lists_are_indented_as_the_file_does() -> None:
    assert "\n- defaults\n- nightly\n" in changed("pkgs_dirs:\n- /a\n- /b\n")
    assert "\n  - defaults\n  - nightly\n" in changed("pkgs_dirs:\n  - /a\n")


def test_line_ends_of_windows_stay() -> None:
    text = changed("ssl_verify: true\r\n# mine\r\nchannels:\r\n  - a\r\n# more\r\n")

    assert_has_settings(text)
    assert text.count("\n") == text.count("\r\n")
    assert "# mine\r\n" in text
    assert "# more\r\n" in text


def test_quotes_document_start_and_long_lines_stay() -> None:
    text = f"---\nenvs_dirs:\n  - '/a'\nlong: {'word ' * 60}end\n"

    assert changed(text) == text + WRITTEN


def test_a_list_that_others_refer_to_stays_for_them() -> None:
    text = changed("default_channels: &mine\n  - a\nother: *mine\n")

    assert_has_settings(text)
    assert loaded(text)["other"] == ["a"]


WORDS = st.text("abcxyz-_/ #'\"é", max_size=12)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | WORDS
    | st.lists(WORDS, max_size=3)
    | st.dictionaries(WORDS, WORDS, max_size=2)
)
KEYS = st.sampled_from(["ssl_verify", "channels", "default_channels", "channel_alias", "envs_dirs", "x"])
COMMENTS = st.lists(st.sampled_from(["", "# one", "  # two"]), max_size=3)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, st.tuples(VALUES, COMMENTS)), st.booleans())
def test_whatever_else_a_file_says_stays(entries: dict[str, Any], in_a_line: bool) -> None:
    text = ""
    for number, (key, (value, comments)) in enumerate(entries.items()):
        writer = YAML(typ="safe", pure=True)
        writer.default_flow_style = in_a_line
        line = StringIO()
        writer.dump({key: value}, line)
        # A `{}` around it belongs to a document, of which this is a part.
        written = line.getvalue()
        text += f"{written.strip()[1:-1]}\n" if in_a_line else written
        text += "".join(f"{comment}{number if comment else ''}\n" for comment in comments)

    after = changed(text)

    assert_has_settings(after)
    others = {key: value for key, (value, _) in entries.items() if key not in SETTINGS.as_document()}
    assert {key: loaded(after)[key] for key in others} == others
    comments_of = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
    assert [line.strip() for line in after.splitlines() if line.strip().startswith("#")] == comments_of


# Reading


def test_a_file_that_is_not_there_is_none(condarc: Path) -> None:
    assert read_condarc(condarc) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"channels: [a\n", "is not valid YAML: .*, line 2"),
        (b"a: 1\na: 2\n", 'is not valid YAML: found duplicate key "a".*, line 2'),
        (b"\ta: 1\n", "is not valid YAML"),
        (b"a: \xff\n", "is not in UTF-8"),
        (b"- a\n", "must hold names and values"),
        (b"a: 1\n---\nb: 2\n", "is not valid YAML"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name(condarc: Path, content: bytes, problem: str) -> None:
    condarc.write_bytes(content)

    with pytest.raises(BadConfiguration, match=problem) as caught:
        read_condarc(condarc)

    assert str(condarc) in str(caught.value)
    assert "ruamel" not in str(caught.value)


def test_a_folder_of_that_name_is_refused(condarc: Path) -> None:
    condarc.mkdir()

    with pytest.raises(BadConfiguration, match="Is a directory"):
        read_condarc(condarc)


# Writing


def test_permissions_stay(condarc: Path) -> None:
    condarc.write_text("a: 1\n")
    condarc.chmod(0o640)

    write_condarc(condarc, b"b: 2\n")

    assert condarc.read_bytes() == b"b: 2\n"
    assert stat.S_IMODE(condarc.stat().st_mode) == 0o640


def test_a_new_file_obeys_the_umask(condarc: Path) -> None:
    before = os.umask(0o027)
    try:
        write_condarc(condarc, b"")
    finally:
        os.umask(before)

    assert stat.S_IMODE(condarc.stat().st_mode) == 0o640


def test_a_link_stays_one(home: Path, condarc: Path) -> None:
    target = home / "dotfiles/condarc"
    target.parent.mkdir()
    target.write_text("a: 1\n")
    condarc.symlink_to(target)

    write_condarc(condarc, b"b: 2\n")

    assert condarc.is_symlink()
    assert target.read_bytes() == b"b: 2\n"


def test_missing_folders_are_made(home: Path) -> None:
    write_condarc(home / "etc/conda/.condarc", b"a: 1\n")

    assert (home / "etc/conda/.condarc").read_bytes() == b"a: 1\n"


def test_a_write_that_fails_leaves_the_file_and_nothing_else(
    home: Path, condarc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    condarc.write_text("a: 1\n")

    def disk_is_full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)

    with pytest.raises(BadConfiguration, match=r"\.condarc cannot be read or written: No space left"):
        write_condarc(condarc, b"b: 2\n")

    assert condarc.read_text() == "a: 1\n"
    assert list(home.iterdir()) == [condarc]


# Keeping and putting back


def test_the_restored_file_is_the_original_byte_for_byte(condarc: Path) -> None:
    original = b"\xef\xbb\xbf# \xc3\xa9\r\nchannels:   [ a ]\r\n\r\nx: 1"
    condarc.write_bytes(original)
    keep_backup(condarc)
    write_condarc(condarc, change_condarc(condarc, original, SETTINGS))
    assert condarc.read_bytes() != original

    assert restore_condarc(condarc)

    assert condarc.read_bytes() == original


def test_a_backup_is_as_private_as_the_file(condarc: Path) -> None:
    condarc.write_text("proxy_servers: {http: 'http://user:word@proxy'}\n")
    condarc.chmod(0o600)

    assert stat.S_IMODE(keep_backup(condarc).stat().st_mode) == 0o600


def test_a_file_that_was_deleted_is_restored_with_its_permissions(condarc: Path) -> None:
    condarc.write_text("a: 1\n")
    condarc.chmod(0o600)
    keep_backup(condarc)
    condarc.unlink()

    assert restore_condarc(condarc)

    assert condarc.read_text() == "a: 1\n"
    assert stat.S_IMODE(condarc.stat().st_mode) == 0o600


def test_without_a_backup_nothing_is_restored(condarc: Path) -> None:
    condarc.write_text("a: 1\n")

    assert not restore_condarc(condarc)

    assert condarc.read_text() == "a: 1\n"
