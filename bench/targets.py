"""What is asked of whom: documents, and the servers that serve them."""

import dataclasses
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from house import Answer, Connection, UnexpectedAnswer, checked

OURS = "Packhouse"


@dataclass(frozen=True)
class Document:
    """One file below a subdir; `conditional` asks for it with the ETag that the server gave."""

    name: str
    path: str
    conditional: bool = False


@dataclass(frozen=True)
class Request:
    """What wrk sends, after a first answer was seen to be right."""

    url: str
    headers: Mapping[str, str]
    status: int


@dataclass(frozen=True)
class Target:
    """A server, where its subdir is, the credential to send, and its documents."""

    name: str
    root: str
    headers: Mapping[str, str] = field(default_factory=dict)
    documents: tuple[Document, ...] = ()

    @property
    def is_peer(self) -> bool:
        return not self.name.startswith(OURS)

    def with_documents(self, documents: tuple[Document, ...]) -> "Target":
        return dataclasses.replace(self, documents=documents)

    def fetch(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """The whole file; raises UnexpectedAnswer."""
        return checked(self._get(path, headers or {}), 200, f"{self.name}, {path}")

    def request(self, document: Document, expected: bytes | None) -> Request:
        """Try the request once; raises UnexpectedAnswer for other bytes, and for a 304 that we owe."""
        whole = self.fetch(document.path)
        if expected is not None and whole.body != expected:
            raise UnexpectedAnswer(f"{self.name} serves other bytes as {document.path}")
        headers = dict(self.headers)
        if document.conditional:
            headers["If-None-Match"] = whole.headers["ETag"]
        answer = self._get(document.path, headers)
        if document.conditional and not self.is_peer:
            checked(answer, 304, f"{self.name}, {document.path}, asked with its own ETag")
        return Request(f"{self.root}/{document.path}", headers, answer.status)

    def _get(self, path: str, headers: Mapping[str, str]) -> Answer:
        address = urllib.parse.urlsplit(self.root)
        connection = Connection(f"{address.scheme}://{address.netloc}", self.headers)
        answer = connection.get(f"{address.path}/{path}", headers)
        connection.close()
        return answer
