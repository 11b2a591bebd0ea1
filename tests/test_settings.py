"""Settings: where they are read from, which source wins, and how a wrong one is named."""

from pathlib import Path

import pytest

from packhouse.errors import Invalid
from packhouse.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a file here nor variables of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", *(field.upper() for field in Settings.model_fields)):
        monkeypatch.delenv(f"PACKHOUSE_{name}", raising=False)


def write(text: str, name: str = "packhouse.toml") -> None:
    Path(name).write_text(text)


def test_everything_has_a_default() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.tls_port) == ("127.0.0.1", 8080, 8443)
    assert settings.effective_database_url == f"sqlite:///{Path.cwd()}/packhouse-data/packhouse.db"
    assert settings.jobs_database_url == f"sqlite:///{Path.cwd()}/packhouse-data/jobs.db"
    assert settings.effective_blob_url == f"{Path.cwd()}/packhouse-data/blobs"


def test_options_win_over_the_environment_which_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 1\ntls_port = 1\nlogin_minutes = 1\n")
    monkeypatch.setenv("PACKHOUSE_PORT", "2")
    monkeypatch.setenv("PACKHOUSE_TLS_PORT", "2")

    settings = load_settings(port=3, host=None)

    assert (settings.port, settings.tls_port, settings.login_minutes) == (3, 2, 1)


def test_file_may_lie_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 1\n")
    write("port = 4\n", "other.toml")
    monkeypatch.setenv("PACKHOUSE_CONFIG", "other.toml")
    assert load_settings().port == 4


def test_tables_and_lists_come_from_file_and_environment_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    write('tls_names = ["a.example"]\n[blob_options]\nregion = "eu"\n')
    assert load_settings().tls_names == ["a.example"]
    assert load_settings().blob_options == {"region": "eu"}
    monkeypatch.setenv("PACKHOUSE_TLS_NAMES", '["b.example"]')
    assert load_settings().tls_names == ["b.example"]


@pytest.mark.parametrize(
    ("url", "effective"),
    [
        ("postgresql://u:p@db/packhouse", "postgresql+psycopg://u:p@db/packhouse"),
        ("postgres://db/packhouse", "postgresql+psycopg://db/packhouse"),
        ("postgresql+psycopg://db/packhouse", "postgresql+psycopg://db/packhouse"),
        ("sqlite:////var/lib/p.db", "sqlite:////var/lib/p.db"),
    ],
)
def test_database_url_is_as_sqlalchemy_wants_it(url: str, effective: str) -> None:
    assert load_settings(database_url=url).effective_database_url == effective


def test_jobs_live_beside_the_data() -> None:
    postgresql = load_settings(database_url="postgres://db/packhouse")
    assert postgresql.jobs_database_url == postgresql.effective_database_url
    assert load_settings(database_url="sqlite:////srv/p.db").jobs_database_url == "sqlite:////srv/jobs.db"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("port = 70000\n", "port"),
        ('port = "many"\n', "port"),
        ("sweep_minutes = 0\n", "sweep_minutes"),
        ('log_level = "loud"\n', "log_level"),
        ("prot = 80\n", "prot"),
        ("tls_names = 5\n", "tls_names"),
        ("[blob_options]\nregion = []\n", "blob_options.region"),
    ],
)
def test_wrong_setting_in_the_file_is_named(text: str, named: str) -> None:
    write(text)
    with pytest.raises(Invalid, match=f"^Setting '{named}': "):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("PORT", "many", "port"),
        ("WORKER", "perhaps", "worker"),
        ("MAX_UPLOAD_BYTES", "0", "max_upload_bytes"),
    ],
)
def test_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, named: str) -> None:
    monkeypatch.setenv(f"PACKHOUSE_{name}", value)
    with pytest.raises(Invalid, match=f"^Setting '{named}': "):
        load_settings()


@pytest.mark.parametrize("name", ["TLS_NAMES", "BLOB_OPTIONS"])
def test_variable_that_should_be_json_and_is_not_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"PACKHOUSE_{name}", "localhost")
    with pytest.raises(Invalid, match=name.lower()):
        load_settings()


def test_file_that_is_no_toml_is_named() -> None:
    write("port = = 80\n")
    with pytest.raises(Invalid, match=r"packhouse\.toml"):
        load_settings()


def test_wrong_option_is_named() -> None:
    with pytest.raises(Invalid, match=r"^Setting 'port': "):
        load_settings(port=-1)


def test_admin_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKHOUSE_ADMIN_PASSWORD", "correct horse")
    settings = load_settings()
    assert settings.admin_password is not None
    assert settings.admin_password.get_secret_value() == "correct horse"
    assert "correct horse" not in repr(settings) + str(settings)


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1
