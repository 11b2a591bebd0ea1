"""Who to ask a server as: the token on the command line, in the environment, or of a log-in."""

import base64
import json
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packhouse_client.configuration import toml_path
from packhouse_client.configuration.sites import Site
from packhouse_client.errors import BadConfiguration, Unauthenticated, WrongUsage

if TYPE_CHECKING:
    from packhouse_client.session import GlobalOptions

TOKEN_VARIABLES = ("CONDA_REPO_TOKEN", "ANACONDA_AUTH_API_KEY")
KEYRING_SERVICE = "Anaconda Cloud"
"""What anaconda-auth files its log-ins under."""
JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Credential:
    secret: str
    origin: str
    """Where it comes from, for people."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What `conda repo login` keeps for one server."""

    secret: str
    id: str
    expires_at: str | None


def find_credential(site: Site, options: "GlobalOptions") -> Credential | None:
    """The nearest credential, or None: ask as anonymous. Raises Unauthenticated for an expired log-in."""
    if options.token is not None:
        return Credential(read_token_option(options.token), "--token")
    for variable in TOKEN_VARIABLES:
        if secret := os.environ.get(variable, "").strip():
            return Credential(secret, f"environment variable {variable}")
    if site.api_key is not None:
        return Credential(site.api_key, f"api_key of site '{site.name}'")
    if (stored := load_token(site)) is not None:
        return Credential(stored.secret, str(token_path(site)))
    return _from_keyring(site)


def read_token_option(value: str) -> str:
    """A token, or the first line of the file that it names. Raises WrongUsage for the path of no file."""
    path = Path(value)
    if path.is_file():
        return path.read_text("utf-8").strip()
    if re.search(r"[/\\.]", value) and not JWT.fullmatch(value):
        raise WrongUsage(
            f"There is no file '{value}' to read a token from, and a token has no '/', '\\' or '.'."
        )
    return value


# The token file


def token_path(site: Site) -> Path:
    """Beside config.toml; one file a server, so that no server is ever shown the token of another."""
    return toml_path().parent / "repo-tokens" / f"{quote(site.domain, safe='')}.json"


def load_token(site: Site) -> StoredToken | None:
    path = token_path(site)
    try:
        document = json.loads(path.read_text("utf-8"))
        return StoredToken(document["token"], document["id"], document.get("expires_at"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadConfiguration(f"{path} cannot be read: {error}. Remove it and log in again.") from error


def store_token(site: Site, token: StoredToken) -> Path:
    """Keep the token where only its owner may read it, whole or not at all. Raises OSError."""
    path = token_path(site)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = {"token": token.secret, "id": token.id, "expires_at": token.expires_at}
    fresh = path.with_suffix(f".{os.getpid()}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as file:
            json.dump(document, file)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def forget_token(site: Site) -> bool:
    """Whether there was one."""
    try:
        token_path(site).unlink()
    except FileNotFoundError:
        return False
    return True


# The keyring of anaconda-auth


def _from_keyring(site: Site) -> Credential | None:
    key = _api_key(site)
    if key is None:
        return None
    expires = _expiry(key)
    if expires is not None and expires < time.time():
        when = datetime.fromtimestamp(expires, UTC)
        raise Unauthenticated(
            f"Your log-in to {site.domain} expired on {when:%Y-%m-%d %H:%M} UTC. Run: anaconda login --force"
        )
    return Credential(key, "anaconda login")


def _api_key(site: Site) -> str | None:
    """Read as anaconda-auth writes it: importing it for one file would take half a second."""
    path = keyring_path()
    try:
        text = path.read_text("utf-8") or "{}"  # anaconda-auth makes an empty file to see if it may
        kept = json.loads(text).get(KEYRING_SERVICE, {}).get(site.domain)
        return None if kept is None else _text_or_none(json.loads(base64.b64decode(kept)).get("api_key"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BadConfiguration(f"{path} cannot be read: {error}. Log in again: anaconda login") from error


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def keyring_path() -> Path:
    return Path(os.environ.get("ANACONDA_AUTH_KEYRING_PATH", "~/.anaconda/keyring")).expanduser()


def _expiry(key: str) -> float | None:
    """Seconds since 1970 in the `exp` of a JWT; None for a token of another kind."""
    if not JWT.fullmatch(key):
        return None
    payload = key.split(".")[1]
    try:
        expires = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("exp")
    except (ValueError, AttributeError):
        return None
    return float(expires) if isinstance(expires, int | float) else None
