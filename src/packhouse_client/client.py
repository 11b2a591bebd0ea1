"""The server's HTTP API as functions, and its errors as exceptions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import requests
from requests.auth import AuthBase
from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

from packhouse_client import __version__
from packhouse_client.errors import ClientError, Unreachable, refusal

Document = dict[str, Any]
"""A JSON object as the server sent it."""
Progress = Callable[[int, int], None]
"""Called while a file is sent: bytes so far, bytes in all."""
Action = Literal["delete", "copy", "move"]

CONNECT_SECONDS = 10
ANSWER_SECONDS = 600
"""The server answers an upload only after it has read and kept the whole package."""


class PackhouseClient:
    """One server, asked as one user. Every method raises `ClientError`, or the class for what was refused."""

    def __init__(
        self, url: str, token: str | None = None, ca_file: Path | str | None = None, insecure: bool = False
    ) -> None:
        self.url = url.rstrip("/").removesuffix("/api")
        self.token = token
        self._verify: bool | str = False if insecure else str(ca_file) if ca_file is not None else True
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"packhouse-client/{__version__}"
        self.on_answer: Callable[[str, str, int, float], None] | None = None
        """Told of every answer: method, URL, status, seconds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    # Account

    def log_in(self, username: str, password: str) -> str:
        """Open a session: its token is returned, and used by this client from now on."""
        answer = self._ask("POST", "/auth/login", json={"username": username, "password": password})
        self.token = str(answer["token"])
        return self.token

    def account(self) -> Document:
        return self._ask("GET", "/account")

    def token_info(self) -> Document:
        """`expires_at` of the token that is sent; None for one that never does."""
        return self._ask("GET", "/account/token-info")

    def list_scopes(self) -> list[str]:
        """What a token of this account may be narrowed to."""
        return list(self._ask("GET", "/account/scopes")["scopes"])

    def list_tokens(self) -> list[Document]:
        return _items(self._ask("GET", "/account/tokens"))

    def create_token(
        self,
        name: str,
        expires_at: str | None = None,
        scopes: Iterable[str] | None = None,
        resources: Iterable[Mapping[str, str]] | None = None,
    ) -> Document:
        """A new token for the account, whose secret is in `token` and is shown only here.

        `expires_at` is a date as YYYY-MM-DD. It is narrowed to `scopes` or to `resources`, not to both.
        """
        body: Document = {"name": name, "expires_at": expires_at}
        if scopes is not None:
            body["scopes"] = list(scopes)
        if resources is not None:
            body["resources"] = [dict(resource) for resource in resources]
        return self._ask("POST", "/account/tokens", json=_given(body))

    def refresh_token(self, token_id: str) -> Document:
        """A new secret for a token, in `token`; the old one ends."""
        return self._ask("PUT", f"/account/tokens/{quote(token_id, safe='')}", json={})

    def delete_token(self, token_id: str) -> None:
        self._ask("DELETE", f"/account/tokens/{quote(token_id, safe='')}")

    # Channels

    def list_channels(self, offset: int | None = None, limit: int | None = None, **query: Any) -> Document:
        """Every channel that the account may see; `include_subchannels=True` adds those inside others."""
        return self._ask("GET", "/channels", params=_given({"offset": offset, "limit": limit, **query}))

    def list_own_channels(
        self, offset: int | None = None, limit: int | None = None, **query: Any
    ) -> Document:
        """The account's own channels and those shared with it."""
        return self._ask(
            "GET", "/account/channels", params=_given({"offset": offset, "limit": limit, **query})
        )

    def list_subchannels(self, channel: str, offset: int | None = None, limit: int | None = None) -> Document:
        query = _given({"offset": offset, "limit": limit})
        return self._ask("GET", f"{_channel(channel)}/subchannels", params=query)

    def create_channel(self, path: str, privacy: str | None = None) -> Document:
        """Create `name`, or `name/subchannel` inside a channel that exists."""
        parent, _, child = path.rpartition("/")
        collection = f"{_channel(parent)}/subchannels" if parent else "/channels"
        return self._ask("POST", collection, json=_given({"name": child, "privacy": privacy}))

    def show_channel(self, path: str) -> Document:
        return self._ask("GET", _channel(path))

    def update_channel(self, path: str, **changes: str) -> Document:
        """Change `privacy`, `indexing_behavior` or `description`; the answer says if anything `changed`."""
        return self._ask("PUT", _channel(path), json=changes)

    def delete_channel(self, path: str) -> None:
        """Delete a channel with everything in it."""
        self._ask("DELETE", _channel(path))

    def channel_history(self, path: str, offset: int | None = None, limit: int | None = None) -> Document:
        return self._ask(
            "GET", f"{_channel(path)}/history", params=_given({"offset": offset, "limit": limit})
        )

    def package_changes(self, path: str, offset: int | None = None, limit: int | None = None) -> Document:
        """Files that came to the channel or left it, the newest first."""
        query = _given({"offset": offset, "limit": limit})
        return self._ask("GET", f"{_channel(path)}/package-changes", params=query)

    # Artifacts

    def list_packages(self, path: str, **query: str | int) -> Document:
        """A page of a channel's packages; `query`: offset, limit, sort, q, artifact_family, platform."""
        return self._ask("GET", f"{_channel(path)}/artifacts", params=query)

    def list_files(self, path: str, package: str, family: str = "conda", **query: str | int) -> Document:
        """A page of a package's files; `query` may hold offset and limit."""
        address = f"{_channel(path)}/artifacts/{quote(family, safe='')}/{quote(package, safe='')}/files"
        return self._ask("GET", address, params=query)

    def search(self, **query: str | int) -> Document:
        """Packages of all channels that the account may see; `query` as in `list_packages`."""
        return self._ask("GET", "/artifacts", params=query)

    def upload(
        self, path: str, file: Path, filetype: str = "conda1", progress: Progress | None = None
    ) -> Document:
        """Publish a package file. It is sent as it is read, so its size does not matter here."""
        with file.open("rb") as content:
            size = file.stat().st_size
            form = _form(file.name, content, size, filetype, progress)
            return self._ask(
                "POST",
                f"/channels/{quote(path)}/artifacts",
                data=form,
                headers={"Content-Type": form.content_type},
            )

    def delete_artifacts(self, path: str, artifacts: Iterable[Mapping[str, str]]) -> None:
        """Delete files (`name`, `family`, `ckey`), or whole packages (without `ckey`): all or nothing."""
        self._change(path, "delete", artifacts)

    def copy_artifacts(self, path: str, artifacts: Iterable[Mapping[str, str]], target: str) -> None:
        self._change(path, "copy", artifacts, target)

    def move_artifacts(self, path: str, artifacts: Iterable[Mapping[str, str]], target: str) -> None:
        self._change(path, "move", artifacts, target)

    def _change(
        self, path: str, action: Action, artifacts: Iterable[Mapping[str, str]], target: str | None = None
    ) -> None:
        body: Document = {"action": action, "items": [dict(artifact) for artifact in artifacts]}
        if target is not None:
            channel, _, subchannel = target.partition("/")
            body |= _given({"target_channel": channel, "target_subchannel": subchannel or None})
        self._ask("PUT", f"{_channel(path)}/artifacts/bulk", json=body)

    # The wire

    def _ask(self, method: str, path: str, **request: Any) -> Document:
        with _reachable(self.url):
            response = self._session.request(
                method,
                f"{self.url}/api{path}",
                auth=_Bearer(self.token),
                verify=self._verify,  # said for each request: said once, REQUESTS_CA_BUNDLE would win over it
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                **request,
            )
        if self.on_answer is not None:
            self.on_answer(method, response.url, response.status_code, response.elapsed.total_seconds())
        if not response.ok:
            raise _error(response)
        return _document(response)


class _Bearer(AuthBase):
    """Sends the token, or nothing; without this, requests would send what it finds in ~/.netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@contextmanager
def _reachable(url: str) -> Iterator[None]:
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise Unreachable(
            f"The certificate of {url} is not trusted. Name the file of the CA that signed it."
        ) from error
    except requests.exceptions.Timeout as error:
        raise Unreachable(f"{url} did not answer in time.") from error
    except requests.exceptions.RequestException as error:
        raise Unreachable(f"Cannot reach {url}: {error}") from error


def _error(response: requests.Response) -> ClientError:
    body = _document(response, must=False)
    code, message = body.get("code"), body.get("message")
    if isinstance(code, str) and isinstance(message, str):
        return refusal(code, message, response.status_code)
    return ClientError(
        f"{response.url} answered {response.status_code} {response.reason}.", response.status_code
    )


def _document(response: requests.Response, must: bool = True) -> Document:
    """The JSON object of an answer, empty if it has no body. Raises if it is none, where it must be."""
    if not response.content:
        return {}
    try:
        body = response.json()
    except requests.exceptions.JSONDecodeError:
        body = None
    if isinstance(body, dict):
        return body
    if must:
        raise ClientError(
            f"{response.url} did not answer in JSON; is it a Packhouse server?", response.status_code
        )
    return {}


def _items(page: Document) -> list[Document]:
    return list(page["items"])


def _given(values: Mapping[str, Any]) -> Document:
    return {name: value for name, value in values.items() if value is not None}


def _channel(path: str) -> str:
    channel, _, subchannel = path.partition("/")
    address = f"/channels/{quote(channel, safe='')}"
    return f"{address}/subchannels/{quote(subchannel, safe='')}" if subchannel else address


def _form(
    name: str, content: Any, size: int, filetype: str, progress: Progress | None
) -> MultipartEncoder | MultipartEncoderMonitor:
    fields = {
        "filetype": filetype,
        "size": str(size),
        "content": (name, content, "application/octet-stream"),
    }
    encoder = MultipartEncoder(fields)
    if progress is None:
        return encoder
    return MultipartEncoderMonitor(encoder, lambda form: progress(min(form.bytes_read, size), size))
