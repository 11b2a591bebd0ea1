"""Whatever goes wrong between a command and its server: a sentence, an exit code, nothing else."""

import base64
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import Done, Shell
from tests.cli.weather import Answer, Proxy, cut_short, listening, page, reset
from tests.live import LiveServer, running_server

TOKEN = "a0b1c2d3e4f5"


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Its certificate is signed by a CA that nobody knows yet."""
    with running_server(tmp_path_factory.mktemp("tls") / "live", tls=True) as started:
        yield started


@pytest.fixture
def nobody(tmp_path: Path) -> Shell:
    """A shell with a token and no configuration."""
    return Shell(tmp_path, {"CONDA_REPO_TOKEN": TOKEN})


def expect(done: Done, exit_code: int, *words: str) -> str:
    """The one sentence that was said."""
    [sentence] = done.stderr.splitlines()
    assert (done.exit_code, done.stdout) == (exit_code, ""), done
    assert sentence.startswith("[ERROR] ")
    assert TOKEN not in sentence
    for word in words:
        assert word in sentence
    return sentence


# No server


def test_no_configuration_says_how_to_configure(nobody: Shell) -> None:
    expect(nobody.conda_repo("whoami"), 1, "No server is configured", "conda repo config --set-site")


def test_a_wrong_site_name_is_wrong_usage_and_suggests_a_right_one(stranger: Shell) -> None:
    expect(stranger.conda_repo("--site", "pakhouse", "whoami"), 2, "Did you mean 'packhouse'?")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("https://packhouse.invalid", "its name is not known"),
        ("http://packhouse.invalid", "its name is not known"),
    ],
)
def test_a_host_that_cannot_be_reached_is_named_with_the_reason(
    nobody: Shell, address: str, why: str
) -> None:
    expect(nobody.conda_repo("--site", address, "whoami"), 1, f"Cannot reach {address}: {why}.")


@pytest.mark.parametrize("answer", [reset, cut_short], ids=["reset", "cut-short"])
def test_a_connection_that_breaks_is_told(nobody: Shell, answer: Answer) -> None:
    with listening(answer) as host:
        done = nobody.conda_repo("--site", f"http://{host}", "whoami")
    expect(done, 1, f"The connection to http://{host} broke.")


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "502 Bad Gateway"])
def test_a_host_that_is_no_packhouse_is_doubted(nobody: Shell, status: str) -> None:
    with listening(page(status)) as host:
        done = nobody.conda_repo("--site", f"http://{host}", "whoami")
    expect(done, 1, f"http://{host}/api/account", "is it a Packhouse server?")


def test_a_server_that_moved_is_not_sent_the_password_elsewhere(nobody: Shell) -> None:
    with listening(page("301 Moved Permanently", "Location: https://new.example.org/api/auth/login")) as host:
        done = nobody.conda_repo(
            *("--site", f"http://{host}", "login", "--username", "ann", "--password-stdin"), typed="secret\n"
        )
    expect(done, 1, "moved to https://new.example.org/api/auth/login")


# TLS


def test_plain_http_to_a_tls_port_says_so(nobody: Shell, tls_server: LiveServer) -> None:
    plain = str(tls_server.tls_url).replace("https", "http")
    expect(nobody.conda_repo("--site", plain, "whoami"), 1, f"{tls_server.tls_url}")


def test_tls_to_a_plain_port_says_so(nobody: Shell, tls_server: LiveServer) -> None:
    secure = tls_server.url.replace("http", "https")
    sentence = expect(nobody.conda_repo("--site", secure, "whoami"), 1, "does not speak TLS", tls_server.url)
    assert "certificate" not in sentence


def test_a_certificate_of_an_unknown_ca_is_refused_with_the_way_out(
    nobody: Shell, tls_server: LiveServer
) -> None:
    done = nobody.conda_repo("--site", tls_server.tls_url, "whoami")
    expect(done, 1, f"The certificate of {tls_server.tls_url} is not trusted", "--ca-file FILE")


def test_a_certificate_is_trusted_through_its_ca_file(nobody: Shell, tls_server: LiveServer) -> None:
    nobody.environment["CONDA_REPO_TOKEN"] = tls_server.log_in()
    ca = tls_server.data_dir / "tls/ca.pem"
    assert nobody.succeeds("--ca-file", ca, "--site", tls_server.tls_url, "whoami").stderr == ""


def test_insecure_is_warned_of_once_or_not_at_all(nobody: Shell, tls_server: LiveServer) -> None:
    nobody.environment["CONDA_REPO_TOKEN"] = tls_server.log_in()
    site = ("--site", tls_server.tls_url, "--insecure")
    assert nobody.succeeds(*site, "whoami").stderr == (
        f"[WARNING] The certificate of {tls_server.tls_url} is not verified.\n"
    )
    assert nobody.succeeds(*site, "--disable-ssl-warnings", "whoami").stderr == ""


@pytest.mark.parametrize(
    "text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"]
)
def test_a_ca_file_without_certificates_is_told_from_a_wrong_certificate(
    nobody: Shell, tls_server: LiveServer, text: str
) -> None:
    (nobody.home / "ca.pem").write_text(text)
    done = nobody.conda_repo("--ca-file", "ca.pem", "--site", tls_server.tls_url, "whoami")
    expect(done, 1, "The file of trusted CAs", "holds no certificates")


def test_a_certificate_for_another_host_is_refused(nobody: Shell, tls_server: LiveServer) -> None:
    folder = tls_server.data_dir / "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    with listening(page("200 OK"), context, "127.0.0.2") as host:
        done = nobody.conda_repo("--ca-file", folder / "ca.pem", "--site", f"https://{host}", "whoami")
    expect(done, 1, f"The certificate of https://{host} is not trusted", "127.0.0.2")


# Credentials


def test_a_revoked_token_is_not_logged_in(stranger: Shell) -> None:
    stranger.environment["CONDA_REPO_TOKEN"] = TOKEN
    expect(stranger.conda_repo("whoami"), 3, "The token is unknown here")


def test_a_token_given_on_the_command_line_is_named_as_the_reason(stranger: Shell) -> None:
    expect(stranger.conda_repo("-t", TOKEN, "whoami"), 3, "The provided token does not allow you")


def test_an_expired_log_in_says_when_and_what_to_run(stranger: Shell, server: LiveServer) -> None:
    payload = base64.urlsafe_b64encode(b'{"exp": 1577934245}').decode().rstrip("=")
    log_in = base64.b64encode(json.dumps({"api_key": f"e30.{payload}.x"}).encode()).decode()
    domain = server.url.removeprefix("http://")
    keyring = stranger.home / ".anaconda/keyring"
    keyring.write_text(json.dumps({"Anaconda Cloud": {domain: log_in}}))

    expect(stranger.conda_repo("whoami"), 3, "expired on 2020-01-02", "anaconda login --force")


def test_a_token_that_ended_is_not_logged_in(stranger: Shell, server: LiveServer) -> None:
    """As `logout` on another machine leaves it, or time: the file here still says it is good."""
    stranger.succeeds("login", "--username", "admin", "--password-stdin", typed="correct horse\n")
    [file] = (stranger.home / ".anaconda/repo-tokens").iterdir()
    with server.client() as client:
        token_id = json.loads(file.read_text())["id"]
        client.delete(f"/api/account/tokens/{token_id}").raise_for_status()

    expect(stranger.conda_repo("whoami"), 3, "log in again")


# Files


@pytest.mark.parametrize("home", ["/proc/nonexistent", "/dev/null"])
def test_a_home_that_cannot_be_written_is_told_before_the_log_in(
    server: LiveServer, tmp_path: Path, home: str
) -> None:
    shell = Shell(tmp_path, {"HOME": home})
    words = ("--site", server.url, "login", "--username", "admin", "--password-stdin")
    before = _tokens(server)
    expect(shell.conda_repo(*words, typed="correct horse\n"), 1, f"{home}/.anaconda", "CONDA_REPO_TOKEN")
    assert _tokens(server) == before


def _tokens(server: LiveServer) -> list[str]:
    with server.client() as client:
        return [item["id"] for item in client.get("/api/account/tokens").json()["items"]]


def test_a_home_that_cannot_be_written_is_no_matter_to_other_commands(
    server: LiveServer, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, {"HOME": "/proc/nonexistent", "CONDA_REPO_TOKEN": server.log_in()})
    assert "username: admin" in shell.succeeds("--site", server.url, "whoami").stdout


@pytest.mark.parametrize(
    ("file", "text"),
    [(".anaconda/config.toml", "default_site = \n"), (".conda/repo-cli-config.yaml", "url: [1\n")],
)
def test_a_broken_configuration_names_the_file(stranger: Shell, file: str, text: str) -> None:
    (stranger.home / file).parent.mkdir(exist_ok=True)
    (stranger.home / file).write_text(text)
    expect(stranger.conda_repo("whoami"), 1, str(stranger.home / file), "is not valid")


# Proxies


def test_requests_go_through_the_proxy_of_the_environment(shell: Shell, server: LiveServer) -> None:
    with listening(proxy := Proxy()) as host:
        shell.environment |= {
            "HTTP_PROXY": f"http://{host}",
            "http_proxy": f"http://{host}",
            "NO_PROXY": "",
            "no_proxy": "",
        }
        shell.succeeds("whoami")
    assert proxy.asked == [f"GET {server.url}/api/account"]


def test_hosts_of_no_proxy_are_asked_directly(shell: Shell) -> None:
    with listening(proxy := Proxy()) as host:
        shell.environment |= {
            "HTTP_PROXY": f"http://{host}",
            "http_proxy": f"http://{host}",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        shell.succeeds("whoami")
    assert proxy.asked == []


def test_a_proxy_that_does_not_answer_is_named_without_its_password(nobody: Shell) -> None:
    proxy = {"http_proxy": "http://ann:SECRET@127.0.0.1:1", "no_proxy": "", "NO_PROXY": ""}
    done = nobody.conda_repo("--site", "http://packhouse.invalid", "whoami", environment=proxy)
    assert "SECRET" not in expect(done, 1, "through the proxy http://127.0.0.1:1: connection refused")


# Secrets


def test_verbose_tells_of_requests_and_of_no_secret(stranger: Shell) -> None:
    words = ("--verbose", "login", "--username", "admin", "--password-stdin")
    done = stranger.succeeds(*words, typed="correct horse\n")
    [file] = (stranger.home / ".anaconda/repo-tokens").iterdir()

    assert "[DEBUG] POST" in done.stderr
    for secret in ("correct horse", json.loads(file.read_text())["token"]):
        assert secret not in done.stderr + done.stdout


def test_a_traceback_is_shown_on_request_and_holds_no_token(nobody: Shell) -> None:
    done = nobody.conda_repo("--show-traceback", "--site", "http://127.0.0.1:1", "whoami")
    assert done.exit_code == 1
    assert "Traceback" in done.stderr
    assert TOKEN not in done.stderr
