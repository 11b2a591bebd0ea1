"""`anaconda login` of anaconda-auth, unchanged, against a running server with TLS; httpx is the browser."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext, create_default_context

import httpx
import pytest

from tests.builders import build_conda_package
from tests.clients.anaconda_client import Anaconda, with_site
from tests.clients.rattler_client import install_elsewhere
from tests.live import PASSWORD, LiveServer, running_server

AT = ("--at", "packhouse")
"""Without `--at`, it asks which site is meant where anaconda-client is installed too."""
USER_CODE = re.compile(r"\b[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}\b")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with running_server(tmp_path_factory.mktemp("login") / "live", tls=True) as started:
        yield started


@pytest.fixture(scope="module")
def trust(server: LiveServer) -> SSLContext:
    return create_default_context(cafile=server.data_dir / "tls" / "ca.pem")


@pytest.fixture
def browser(server: LiveServer, trust: SSLContext) -> Iterator[httpx.Client]:
    assert server.tls_url is not None
    with httpx.Client(base_url=server.tls_url, verify=trust, trust_env=False) as client:
        yield client


def at_home(server: LiveServer, home: Path, *settings: str) -> Anaconda:
    """As the reference document sets it up, before any log-in."""
    assert server.tls_url is not None
    domain = server.tls_url.replace("127.0.0.1", "localhost")
    return with_site(home, domain, server.data_dir / "tls" / "ca.pem", None, *settings)


@pytest.fixture
def anaconda(server: LiveServer, tmp_path: Path) -> Anaconda:
    return at_home(server, tmp_path / "home")


def shown_code(process: subprocess.Popen[str]) -> str:
    """The code, once the terminal shows it."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := USER_CODE.search(line):
            return found[0]
    raise AssertionError(f"no code was shown:\n{said}")


def answer(browser: httpx.Client, user_code: str, answer: str) -> httpx.Response:
    """What a browser sends for a person who reads the page and presses a button."""
    page = browser.get("/app/device", params={"user_code": user_code})
    assert page.status_code == 200
    assert user_code in page.text
    form = {"user_code": user_code, "username": "admin", "password": PASSWORD, "answer": answer}
    headers = {"Origin": str(browser.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    return browser.post("/app/device", data=form, headers=headers)


def log_in(anaconda: Anaconda, browser: httpx.Client) -> str:
    with anaconda.started("login", *AT) as login:
        assert answer(browser, shown_code(login), "allow").status_code == 200
        said, _ = login.communicate(timeout=60)
    assert login.returncode == 0, said
    return said


def api_key(anaconda: Anaconda) -> str:
    return anaconda.does("auth", "api-key").strip()


def test_log_in_by_a_device_code_ends_in_a_key_that_the_client_keeps(
    anaconda: Anaconda, browser: httpx.Client
) -> None:
    said = log_in(anaconda, browser)

    assert "Login successful!" in said
    account = json.loads(anaconda.does("whoami", *AT))
    assert (account["user"]["username"], account["username"]) == ("admin", "admin")


def test_key_opens_private_channels_and_management(
    anaconda: Anaconda, browser: httpx.Client, server: LiveServer, tmp_path: Path
) -> None:
    server.create_channel("closed", "private")
    server.upload("closed", build_conda_package(tmp_path, "secret"))
    log_in(anaconda, browser)
    key = api_key(anaconda)

    anaconda.does("channel", "create", "closed/inner", "--private")
    with server.client(key) as client:
        assert client.get("/api/channels/closed/subchannels/inner").json()["privacy"] == "private"
        assert client.get("/api/repo/closed/noarch/repodata_shards.msgpack.zst").status_code == 200

    channel, credentials = f"{server.url}/api/repo/closed", {"127.0.0.1": {"BearerToken": key}}
    installed = install_elsewhere(channel, "secret", tmp_path / "with", credentials)
    assert installed.returncode == 0, installed.stderr
    assert install_elsewhere(channel, "secret", tmp_path / "without").returncode != 0


def test_denied_log_in_says_so_and_keeps_nothing(anaconda: Anaconda, browser: httpx.Client) -> None:
    with anaconda.started("login", *AT) as login:
        assert answer(browser, shown_code(login), "deny").status_code == 200
        said, _ = login.communicate(timeout=60)

    assert login.returncode != 0
    assert "denied" in said.lower()
    assert anaconda("auth", "api-key").returncode != 0


def test_after_log_out_nobody_is_known(anaconda: Anaconda, browser: httpx.Client) -> None:
    log_in(anaconda, browser)
    anaconda.does("logout", *AT)

    assert json.loads(anaconda.does("whoami", *AT))["user"]["username"] == ""


def test_deleted_key_is_refused_with_a_sentence(
    anaconda: Anaconda, browser: httpx.Client, server: LiveServer
) -> None:
    log_in(anaconda, browser)
    with server.client(api_key(anaconda)) as client:
        [*_, newest] = client.get("/api/account/tokens").json()["items"]
        assert newest["name"].startswith("anaconda-login:")
        assert client.delete(f"/api/account/tokens/{newest['id']}").status_code == 204

    done = anaconda("whoami", *AT)

    assert done.returncode != 0
    assert "login token is invalid" in done.stdout + done.stderr


def test_log_in_by_an_authorization_code_ends_in_a_key_too(
    server: LiveServer, browser: httpx.Client, trust: SSLContext, tmp_path: Path
) -> None:
    port = free_port()
    address = tmp_path / "address"
    opener = tmp_path / "browser"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {address}.part && mv {address}.part {address}\n')
    opener.chmod(0o755)
    redirect = f'redirect_uri = "http://127.0.0.1:{port}/auth/oidc"'
    anaconda = at_home(server, tmp_path / "home", "use_device_flow = false", redirect)

    with anaconda.started("login", *AT, browser=f"{opener} %s") as login:
        asked = opened(address)
        assert browser.get(asked).status_code == 200
        form = {"username": "admin", "password": PASSWORD, "answer": "allow"}
        sent_back = browser.post(asked, data=form, headers={"Sec-Fetch-Site": "same-origin"})
        assert sent_back.status_code == 303
        received = httpx.get(sent_back.headers["location"], trust_env=False)
        assert received.status_code == 307
        success = received.headers["location"]
        assert "You are logged in" in httpx.get(success, verify=trust, trust_env=False).text
        said, _ = login.communicate(timeout=60)

    assert login.returncode == 0, said
    assert json.loads(anaconda.does("whoami", *AT))["username"] == "admin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def opened(address: Path) -> str:
    """The address that the client opened its browser at."""
    end = time.monotonic() + 60
    while not address.exists():
        assert time.monotonic() < end, "the client opened no browser"
        time.sleep(0.05)
    return address.read_text()
