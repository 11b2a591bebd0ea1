"""One connection to a server: sends what is asked, and raises what is refused as exceptions."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from requests.auth import AuthBase

from packhouse_client import __version__
from packhouse_client.errors import ClientError, refusal
from packhouse_client.wire.unreachable import reachable

Document = dict[str, Any]
"""A JSON object as the server sent it."""

CONNECT_SECONDS = 10
ANSWER_SECONDS = 600
"""The server answers an upload only after it has read and kept the whole package."""

CODES = {401: "auth_required", 403: "forbidden", 404: "not_found", 409: "conflict"}
"""What a status means where no body says it."""


class Connection:
    """To one server, as one user."""

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

    def twin(self) -> Self:
        """The same server and user for another thread: a session of requests is for one."""
        ca_file = self._verify if isinstance(self._verify, str) else None
        twin = type(self)(self.url, self.token, ca_file, insecure=self._verify is False)
        twin.on_answer = self.on_answer
        return twin

    def _ask(self, method: str, path: str, **request: Any) -> Document:
        return document_of(self._exchange(method, path, **request))

    def _exchange(
        self,
        method: str,
        path: str,
        answer_seconds: float = ANSWER_SECONDS,
        raises: bool = True,
        **request: Any,
    ) -> requests.Response:
        """As `_ask`, for who needs more of the answer than its body."""
        # requests would follow with a GET, whatever was asked: a change that is then not made looks done
        request.setdefault("allow_redirects", method in ("GET", "HEAD"))
        with reachable(self.url):
            response = self._session.request(
                method,
                f"{self.url}/api{path}",
                auth=_Bearer(self.token),
                verify=self._verify,  # said for each request: said once, REQUESTS_CA_BUNDLE would win over it
                timeout=(CONNECT_SECONDS, answer_seconds),
                **request,
            )
        if self.on_answer is not None:
            self.on_answer(method, response.url, response.status_code, response.elapsed.total_seconds())
        return accepted(response) if raises else response


def accepted(response: requests.Response) -> requests.Response:
    """The same, unless it is a refusal: that is raised."""
    if response.is_redirect:
        raise ClientError(
            f"{response.url} moved to {response.headers['Location']}. Configure that address.",
            response.status_code,
        )
    if not response.ok:
        raise _error(response)
    return response


class _Bearer(AuthBase):
    """Sends the token, or nothing; without this, requests would send what it finds in ~/.netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _error(response: requests.Response) -> ClientError:
    body = document_of(response, must=False)
    code, message = body.get("code"), body.get("message")
    is_page = bool(response.content) and not body  # of something in between, or of no Packhouse at all
    if not isinstance(code, str):  # the answer to HEAD has no body either
        code = CODES.get(response.status_code, "") if not is_page or response.status_code != 404 else ""
    if not isinstance(message, str):
        message = f"{response.url} answered {response.status_code} {response.reason}"
        message += "; is it a Packhouse server?" if is_page else "."
    error = refusal(code, message, response.status_code)
    error.wait_seconds = _wait_seconds(response)
    return error


def _wait_seconds(response: requests.Response) -> float | None:
    """What `Retry-After` asks for; a date in it, which few servers send, is passed over."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def document_of(response: requests.Response, must: bool = True) -> Document:
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
