"""The files of the configuration: which are read, what counts, and how they are changed."""

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from packhouse_client.configuration import Configuration, read_configuration, system_yaml_path, yaml_paths
from packhouse_client.configuration.changes import file_to_change, remove_value, set_values
from packhouse_client.configuration.effective import all_settings, find_setting, merged, variables
from packhouse_client.configuration.keys import (
    MASK,
    dotted,
    holds_secret,
    is_known,
    masked,
    parse_keys,
    parse_value,
    typed_value,
)
from packhouse_client.errors import BadConfiguration, WrongUsage
from packhouse_client.whole_file import write_file
from tests.packhouse_client.homes import move_into, write

YAML_FILE = ".conda/repo-cli-config.yaml"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return move_into(tmp_path, monkeypatch)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Reading


def test_no_file_is_an_empty_configuration(home: Path) -> None:
    assert read_configuration() == Configuration(())


def test_toml_wins_over_yaml_and_both_are_merged(home: Path) -> None:
    toml = write(home, 'default_site = "new"\n[sites.new]\ndomain = "new.example.org"\n')
    yaml = write(home, "default_site: old\nsites:\n  old: {url: http://old}\n", YAML_FILE)
    configuration = read_configuration()

    assert configuration.get("default_site") == ("new", toml)
    assert configuration.get("sites", "old", "url") == ("http://old", yaml)
    assert configuration.site_names() == ["new", "old"]
    assert merged(configuration)["sites"].keys() == {"new", "old"}


def test_the_user_s_file_wins_over_that_of_the_environment_of_conda(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_PREFIX", str(home / "env"))
    write(home, "url: http://env\n", "env/etc/anaconda-client/repo-cli-config.yaml")
    assert read_configuration().get("url")[0] == "http://env"
    write(home, "url: http://user\n", YAML_FILE)
    assert read_configuration().get("url")[0] == "http://user"


def test_folders_are_named_by_variables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANACONDA_CONFIG_TOML", "$HOME/elsewhere.toml")
    monkeypatch.setenv("REPO_CONFIG_DIR", str(home / "old"))
    monkeypatch.setenv("CONDA_EXE", str(home / "conda/bin/conda"))
    write(home, 'url = "http://toml"\n', "elsewhere.toml")

    assert read_configuration().get("url")[0] == "http://toml"
    assert yaml_paths()[0] == home / "old/repo-cli-config.yaml"
    assert system_yaml_path() == home / "conda/etc/anaconda-client/repo-cli-config.yaml"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".anaconda/config.toml", "default_site = \n"),
        (".anaconda/config.toml", "a = 1\na = 2\n"),
        (YAML_FILE, "a: [1\n"),
        (YAML_FILE, "- a\n"),
        (YAML_FILE, "\x00"),
    ],
)
def test_a_broken_file_is_named_in_one_sentence(home: Path, path: str, text: str) -> None:
    write(home, text, path)
    with pytest.raises(BadConfiguration, match=Path(path).name) as refused:
        read_configuration()
    assert "\n" not in refused.value.message


def test_a_file_that_is_no_text_is_named(home: Path) -> None:
    write(home, "").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadConfiguration, match=r"config\.toml is not valid"):
        read_configuration()


@pytest.mark.parametrize("text", ['sites = "x"\n', 'sites = ["x"]\n', '[sites]\nx = "example.org"\n'])
def test_sites_that_are_no_tables_are_refused_with_an_example(home: Path, text: str) -> None:
    write(home, text)
    with pytest.raises(BadConfiguration, match=r"config\.toml: 'sites' must be tables .*domain"):
        read_configuration().site_names()


# What counts


def test_the_environment_wins_over_files_and_files_over_defaults(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counts() -> tuple[Any, str]:
        found = find_setting(read_configuration(), ("ssl_verify",))
        assert found is not None
        return found.value, found.source

    assert counts() == (True, "default")
    path = write(home, "ssl_verify = false\n")
    assert counts() == (False, str(path))
    monkeypatch.setenv("ANACONDA_AUTH_SSL_VERIFY", "1")
    assert counts() == ("1", "environment variable ANACONDA_AUTH_SSL_VERIFY")


def test_settings_are_all_leaves_with_secrets_covered(home: Path) -> None:
    write(home, '[sites."a.b"]\ndomain = "x"\napi_key = "SECRET"\nextra_headers = {Cookie = "SECRET"}\n')
    shown = {setting.name: setting.shown for setting in all_settings(read_configuration())}

    assert shown['sites."a.b".domain'] == "x"
    assert shown['sites."a.b".api_key'] == MASK
    assert "SECRET" not in str(shown)


def test_variables_are_shown_without_tokens_and_passwords(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_REPO_TOKEN", "SECRET")
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:SECRET@proxy:3128")
    monkeypatch.setenv("ANACONDA_DEFAULT_SITE", "")

    assert variables()["CONDA_REPO_TOKEN"] == MASK
    assert variables()["HTTPS_PROXY"] == f"http://{MASK}@proxy:3128"
    assert "ANACONDA_DEFAULT_SITE" not in variables()


# Names and values


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("url", ("url",)),
        ("sites.work.domain", ("sites", "work", "domain")),
        ("sites.packages.example.org.domain", ("sites", "packages.example.org", "domain")),
        ('sites."packages.example.org".domain', ("sites", "packages.example.org", "domain")),
        ("plugin.auth.domain", ("plugin", "auth", "domain")),
        ("sites.anaconda-platform", ("sites", "anaconda-platform")),
    ],
)
def test_names_are_keys_with_dots(name: str, keys: tuple[str, ...]) -> None:
    assert parse_keys(name) == keys


@pytest.mark.parametrize("name", ["", ".", "a..b", "a b", 'sites."x', "a = 1\nb", "a.b = 0 #", "[a]"])
def test_what_is_no_name_is_wrong_usage(name: str) -> None:
    with pytest.raises(WrongUsage, match="is no name of a setting"):
        parse_keys(name)


@given(
    st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1), min_size=1, max_size=4)
)
def test_keys_are_read_as_they_are_written(keys: list[str]) -> None:
    assume(keys[0] != "sites" or len(keys) < 4)  # there, dots may belong to the name of the site
    assert parse_keys(dotted(tuple(keys))) == tuple(keys)


@pytest.mark.parametrize(
    "name", ["url", "default_site", "sites.x.domain", "sites.x.api_key", "plugin.auth.domain"]
)
def test_known_names(name: str) -> None:
    assert is_known(parse_keys(name))


@pytest.mark.parametrize("name", ["urls", "sites", "sites.x", "sites.x.domian", "plugin", "plugin.auth"])
def test_unknown_names(name: str) -> None:
    assert not is_known(parse_keys(name))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("url", "http://host:8080", "http://host:8080"),
        ("sites.x.domain", "127.0.0.1:8443", "127.0.0.1:8443"),
        ("ssl_verify", "No", False),
        ("ssl_verify", "truststore", "truststore"),
        ("auto_register", "1", True),
        ("default_site", "12", "12"),
        ("plugin.auth.numbers", "[1, 2]", [1, 2]),
    ],
)
def test_a_value_is_what_its_setting_takes(name: str, text: str, value: Any) -> None:
    assert parse_value(parse_keys(name), text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("url", "host"),
        ("sites.x.url", "ftp://host"),
        ("sites.x.domain", "a b"),
        ("oauth2", "perhaps"),
        ("ssl_verify", "/no/such/file.pem"),
        ("plugin.auth.numbers", "[1"),
    ],
)
def test_a_value_that_its_setting_does_not_take_is_wrong_usage(name: str, text: str) -> None:
    with pytest.raises(WrongUsage):
        parse_value(parse_keys(name), text)


def test_a_ca_file_is_kept_with_its_whole_path(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "", "ca.pem")
    monkeypatch.chdir(home)
    assert parse_value(("ssl_verify",), "ca.pem") == str(home / "ca.pem")
    assert parse_value(("ssl_verify",), "~/ca.pem") == "~/ca.pem"


def test_a_type_is_what_the_text_must_be() -> None:
    assert [typed_value(kind, "1") for kind in ("str", "int", "float", "bool", "yaml")] == [
        "1",
        1,
        1.0,
        True,
        1,
    ]
    with pytest.raises(WrongUsage, match="'x' is no int"):
        typed_value("int", "x")


def test_secrets_are_covered_wherever_they_are() -> None:
    document = {
        "sites": {"x": {"api_key": "SECRET", "proxy_servers": {"https": "http://u:SECRET@p"}}},
        "n": [1],
    }
    assert "SECRET" not in str(masked(document))
    assert holds_secret(document)
    assert not holds_secret({"sites": {"x": {"domain": "example.org"}}, "ssl_verify": True})


# Changing


def test_a_change_keeps_comments_and_order_of_toml(home: Path) -> None:
    path = write(home, '# ours\ndefault_site = "a"  # for now\n\n[sites.a]\ndomain = "a.example.org"\n')
    set_values(path, {("sites", "a", "ssl_verify"): False, ("default_site",): "b"})

    assert path.read_text() == (
        '# ours\ndefault_site = "b"  # for now\n\n[sites.a]\ndomain = "a.example.org"\nssl_verify = false\n'
    )


def test_a_change_keeps_comments_of_yaml(home: Path) -> None:
    path = write(home, "# ours\nurl: http://a  # for now\n", YAML_FILE)
    set_values(path, {("sites", "b", "url"): "http://b"})

    assert path.read_text() == "# ours\nurl: http://a  # for now\nsites:\n  b:\n    url: http://b\n"


def test_a_new_file_is_made_with_its_folder(home: Path) -> None:
    path = home / ".anaconda/config.toml"
    set_values(path, {("sites", "a.b", "domain"): "a.b"})

    assert tomllib.loads(path.read_text()) == {"sites": {"a.b": {"domain": "a.b"}}}
    assert path.read_text() == '[sites."a.b"]\ndomain = "a.b"\n'


def test_a_file_that_gets_a_secret_is_for_its_owner_alone(home: Path) -> None:
    path = write(home, 'default_site = "a"\n')
    path.chmod(0o644)
    set_values(path, {("sites", "a", "domain"): "x"})
    assert mode(path) == 0o644
    set_values(path, {("sites", "a", "api_key"): "SECRET"})
    assert mode(path) == 0o600


def test_removal_takes_the_tables_that_it_empties(home: Path) -> None:
    path = write(home, 'default_site = "a"\n\n[sites.a]\ndomain = "x"\n')
    remove_value(path, ("sites", "a", "domain"))
    assert tomllib.loads(path.read_text()) == {"default_site": "a"}


def test_a_name_below_a_value_is_refused_and_the_file_stays(home: Path) -> None:
    path = write(home, 'default_site = "a"\n')
    with pytest.raises(BadConfiguration, match="'default_site' has a value and no names below it"):
        set_values(path, {("default_site", "x"): 1})
    assert path.read_text() == 'default_site = "a"\n'


def test_a_broken_file_is_not_changed(home: Path) -> None:
    path = write(home, "default_site = \n")
    with pytest.raises(BadConfiguration, match="is not valid"):
        set_values(path, {("url",): "http://x"})
    assert path.read_text() == "default_site = \n"


def test_old_settings_go_to_the_older_file_if_there_is_one(home: Path) -> None:
    toml, yaml = home / ".anaconda/config.toml", home / YAML_FILE
    assert file_to_change(read_configuration(), ("url",), system=False) == toml
    write(home, "oauth2: false\n", YAML_FILE)
    assert file_to_change(read_configuration(), ("url",), system=False) == yaml
    assert file_to_change(read_configuration(), ("default_site",), system=False) == toml
    write(home, 'url = "http://x"\n')  # it says so already, and would have the last word
    assert file_to_change(read_configuration(), ("url",), system=False) == toml


@given(
    st.dictionaries(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1), st.text(), max_size=4
    )
)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, sites: dict[str, str]) -> None:
    folder = tmp_path_factory.mktemp("written")
    for path in (folder / "config.toml", folder / "config.yaml"):
        text = {name: value for name, value in sites.items() if value.isprintable()}
        set_values(path, {("sites", name, "domain"): value for name, value in text.items()})
        written = path.read_text()
        read = tomllib.loads(written) if path.suffix == ".toml" else YAML(typ="safe").load(written)
        assert (read or {}) == (
            {"sites": {name: {"domain": value} for name, value in text.items()}} if text else {}
        )


# Files


def test_a_link_stays_a_link_and_its_file_changes(home: Path) -> None:
    target = write(home, "old", "dotfiles/config.toml")
    link = home / "config.toml"
    link.symlink_to(target)
    write_file(link, "new", is_secret=False)

    assert link.is_symlink()
    assert target.read_text() == "new"


def test_what_is_no_file_is_written_to_and_stays() -> None:
    write_file(Path("/dev/null"), "x", is_secret=True)
    assert not Path("/dev/null").is_file()


def test_a_failure_leaves_the_old_file_and_nothing_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(home, "old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_file(path, "new", is_secret=False)
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["config.toml"]
