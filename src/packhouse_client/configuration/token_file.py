"""The token that `conda repo login` keeps: one file a server, so that none is shown the token of another."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from packhouse_client.configuration import toml_path
from packhouse_client.configuration.sites import Site
from packhouse_client.errors import BadConfiguration
from packhouse_client.whole_file import write_file

SENDABLE = re.compile(r"[\x21-\x7e]+")
"""What a header can carry. Says who? RFC 9110, 5.5, without the spaces that no token has."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What `conda repo login` keeps for one server."""

    secret: str = field(repr=False)
    id: str
    expires_at: str | None
    """As the server writes it; None for one that never does."""


def token_path(site: Site) -> Path:
    """Beside config.toml."""
    server = site.url.partition("://")[2].lower()
    return toml_path().parent / "repo-tokens" / f"{quote(server, safe='')}.json"


def load_token(site: Site) -> StoredToken | None:
    """Raises BadConfiguration for a file that is there and cannot be used."""
    path = token_path(site)
    try:
        return _as_token(json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it holds no token"
        raise BadConfiguration(
            f"{path} cannot be read: {why}. Forget it (conda repo logout --force) and log in again."
        ) from error


def _as_token(document: dict[str, object]) -> StoredToken:
    secret, id_, expires_at = document["token"], document["id"], document.get("expires_at")
    if not (isinstance(secret, str) and SENDABLE.fullmatch(secret) and isinstance(id_, str)):
        raise ValueError("no token")
    return StoredToken(secret, id_, expires_at if isinstance(expires_at, str) else None)


def store_token(site: Site, token: StoredToken) -> Path:
    """Keep the token where only its owner may read it, whole or not at all. Raises BadConfiguration."""
    document = {"token": token.secret, "id": token.id, "expires_at": token.expires_at}
    path = token_path(site)
    with _kept_at(path):
        write_file(path, json.dumps(document), is_secret=True)
    return path


def check_storable(site: Site) -> None:
    """Raises BadConfiguration where a token could not be kept: better before there is one to lose."""
    path = token_path(site)
    trial = path.with_suffix(f".{os.getpid()}.trial")
    with _kept_at(path):
        write_file(trial, "", is_secret=True)
        trial.unlink()


@contextmanager
def _kept_at(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadConfiguration(
            f"The log-in cannot be kept in {path}: {error.strerror}. "
            "Set CONDA_REPO_TOKEN to a token instead, or HOME to a folder that can be written."
        ) from error


def forget_token(site: Site) -> bool:
    """Whether there was one. Raises OSError."""
    try:
        token_path(site).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
