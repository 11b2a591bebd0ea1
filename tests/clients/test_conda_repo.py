"""What `conda repo login` and `upload` of the existing client send, request by request.

The client itself is in no registry; these are its calls in its order, with plain `requests`.
"""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.builders import build_conda_package
from tests.live import PASSWORD, LiveServer, running_server

TOKEN_NAME = "repo-cli-token-workstation"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with running_server(tmp_path_factory.mktemp("conda-repo") / "live") as started:
        yield started


@pytest.fixture(params=["/api", "/api/repo"])
def api(request: pytest.FixtureRequest, server: LiveServer) -> str:
    """The `url` that people configure; both are in use."""
    return f"{server.url}{request.param}"


def ask(method: str, url: str, expected: int, headers: dict[str, str] | None = None, **sent: Any) -> Any:
    answer = requests.request(method, url, headers=headers, timeout=30, **sent)
    assert answer.status_code == expected, f"{method} {url}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def log_in(api: str) -> str:
    """The whole sequence of `conda repo login`; answers the token that the client stores."""
    jwt = ask("POST", f"{api}/auth/login", 200, json={"username": "admin", "password": PASSWORD})["token"]
    bearer = {"Authorization": f"Bearer {jwt}"}
    tokens = ask("GET", f"{api}/account/tokens", 200, bearer)["items"]
    for token in tokens:
        if token["name"] == TOKEN_NAME:
            return str(ask("PUT", f"{api}/account/tokens/{token['id']}", 200, bearer, json={})["token"])
    order = {
        "name": TOKEN_NAME,
        "expires_at": (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d"),
        "scopes": ask("GET", f"{api}/account/scopes", 200, bearer)["scopes"],
    }
    return str(ask("POST", f"{api}/account/tokens", 200, bearer, json=order)["token"])


def test_login_gives_a_token_that_x_auth_takes(api: str) -> None:
    account = ask("GET", f"{api}/account", 200, {"X-Auth": log_in(api)})

    assert account["username"] == "admin"
    assert "admin" in account["roles"]


def test_login_again_refreshes_the_token_and_kills_the_old_one(api: str) -> None:
    old = log_in(api)

    new = log_in(api)

    assert new != old
    ask("GET", f"{api}/account", 401, {"X-Auth": old})
    ask("GET", f"{api}/account", 200, {"X-Auth": new})


def test_the_session_can_be_read_as_the_client_reads_it(api: str) -> None:
    """It decodes the payload with the standard alphabet of base64 and wants the roles."""
    jwt = ask("POST", f"{api}/auth/login", 200, json={"username": "admin", "password": PASSWORD})["token"]
    payload = jwt.split(".")[1]

    claims = json.loads(base64.b64decode(payload + "=" * (-len(payload) % 4), validate=True))

    assert claims["realm_access"]["roles"] == ["admin"]


def test_a_wrong_password_is_401(api: str) -> None:
    refusal = ask("POST", f"{api}/auth/login", 401, json={"username": "admin", "password": "wrong"})

    assert refusal["error"]["code"] == "auth_required"


def test_upload_list_and_remove(api: str, tmp_path: Path) -> None:
    headers = {"X-Auth": log_in(api)}
    name = f"old-client-{api.count('/')}"
    package = build_conda_package(tmp_path, "numbers")
    ask("POST", f"{api}/channels", 201, headers, json={"name": name})

    with package.open("rb") as content:
        form = {"filetype": "conda1", "size": str(package.stat().st_size)}
        sent = ask(
            "POST", f"{api}/channels/{name}/artifacts", 201, headers, data=form, files={"content": content}
        )
    assert sent["ckey"] == "noarch/numbers-1.0-0.conda"
    assert requests.get(sent["url"], timeout=30).content == package.read_bytes()

    files = ask("GET", f"{api}/channels/{name}/artifacts/conda/numbers/files", 200, headers)
    assert [file["ckey"] for file in files["items"]] == [sent["ckey"]]

    item = {"name": "numbers", "family": "conda", "ckey": sent["ckey"]}
    bulk = {"action": "delete", "items": [item]}
    assert ask("PUT", f"{api}/channels/{name}/artifacts/bulk", 202, headers, json=bulk) is not None
    assert ask("GET", f"{api}/channels/{name}/artifacts", 200, headers)["total_count"] == 0
    ask("DELETE", f"{api}/channels/{name}", 202, headers)


def test_upload_into_a_subchannel_has_it_plainly_in_the_path(api: str, tmp_path: Path) -> None:
    headers = {"X-Auth": log_in(api)}
    name = f"with-sub-{api.count('/')}"
    ask("POST", f"{api}/channels", 201, headers, json={"name": name})
    ask("POST", f"{api}/channels/{name}/subchannels", 201, headers, json={"name": "dev"})

    with build_conda_package(tmp_path, "numbers").open("rb") as content:
        files = {"content": content}
        sent = ask("POST", f"{api}/channels/{name}/dev/artifacts", 201, headers, files=files)

    assert (sent["channel"], sent["subchannel"]) == (name, "dev")
