"""Who to ask a server as: the token on the command line, in the environment, or of a log-in."""

import base64
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from packhouse_client.configuration.keyring import find_api_key, keyring_path
from packhouse_client.configuration.sites import Site
from packhouse_client.configuration.token_file import SENDABLE, load_token, token_path
from packhouse_client.errors import BadConfiguration, ClientError, Unauthenticated, WrongUsage

if TYPE_CHECKING:
    from packhouse_client.global_options import GlobalOptions

TOKEN_VARIABLES = ("CONDA_REPO_TOKEN", "ANACONDA_AUTH_API_KEY")
ANACONDA_LOGIN = "anaconda login"
CONDA_REPO_LOGIN = "conda repo login"
JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Credential:
    secret: str = field(repr=False)
    origin: str
    """Where it comes from, for people."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """One of the two ways in: `conda repo login` and `anaconda login`."""

    credential: Credential
    command: str
    made_at: float
    expires_at: float | None

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= time.time()


def find_credential(site: Site, options: "GlobalOptions") -> Credential | None:
    """The nearest credential, or None: ask as anonymous. Raises Unauthenticated for an expired log-in."""
    given = given_credential(site, options)
    return _of_log_in(site) if given is None else given


def given_credential(site: Site, options: "GlobalOptions") -> Credential | None:
    """The one that wins over every log-in, if there is one: of the command line, environment or site."""
    if options.token is not None:
        return Credential(read_token_option(options.token), "--token")
    for variable in TOKEN_VARIABLES:
        if secret := os.environ.get(variable, "").strip():
            origin = f"environment variable {variable}"
            return Credential(_checked(secret, origin, BadConfiguration), origin)
    if site.api_key is not None:
        origin = f"api_key of site '{site.name}'"
        return Credential(_checked(site.api_key, origin, BadConfiguration), origin)
    return None


def _of_log_in(site: Site) -> Credential | None:
    """The latest log-in counts: whoever logs in again, in whatever way, means that one from then on."""
    latest_first = sorted(_log_ins(site), key=lambda log_in: log_in.made_at, reverse=True)
    for log_in in latest_first:
        if not log_in.has_expired:
            return log_in.credential
    if latest_first:
        raise _expired(site, latest_first[0])
    return None


def _log_ins(site: Site) -> list[LogIn]:
    """A keyring that cannot be read is no reason to stop as long as it is not needed."""
    ours = _from_token_file(site)
    try:
        theirs = _from_keyring(site)
    except BadConfiguration:
        if ours is None or ours.has_expired:
            raise
        theirs = None
    return [log_in for log_in in (ours, theirs) if log_in is not None]


def _expired(site: Site, log_in: LogIn) -> Unauthenticated:
    when = datetime.fromtimestamp(log_in.expires_at or 0, UTC)
    again = f"{ANACONDA_LOGIN} --force" if log_in.command == ANACONDA_LOGIN else log_in.command
    return Unauthenticated(f"Your log-in to {site.domain} expired on {when:%Y-%m-%d %H:%M} UTC. Run: {again}")


def read_token_option(value: str) -> str:
    """A token, or the first line of the file that it names. Raises WrongUsage for the path of no file."""
    path = Path(value)
    if _is_file(path):
        return _checked(_first_line(path), f"file {value}", WrongUsage)
    if re.search(r"[/\\.]", value) and not JWT.fullmatch(value):
        raise WrongUsage(
            f"There is no file '{value}' to read a token from, and a token has no '/', '\\' or '.'."
        )
    return _checked(value, "--token", WrongUsage)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a token is longer than any file's name may be
        return False


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(1_000_000).strip()


def _checked(secret: str, origin: str, error: Callable[[str], ClientError]) -> str:
    """Raises what `error` makes; what is no token is not repeated, as it may be nearly one."""
    if not SENDABLE.fullmatch(secret):
        raise error(f"What {origin} holds is no token: a token has letters and digits, and no spaces.")
    return secret


# The log-ins


def _from_token_file(site: Site) -> LogIn | None:
    stored = load_token(site)
    if stored is None:
        return None
    path = token_path(site)
    credential = Credential(stored.secret, f"{CONDA_REPO_LOGIN} ({path})")
    return LogIn(credential, CONDA_REPO_LOGIN, path.stat().st_mtime, _moment(stored.expires_at))


def _moment(text: str | None) -> float | None:
    try:
        moment = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _from_keyring(site: Site) -> LogIn | None:
    key = find_api_key(site)
    if key is None:
        return None
    if not SENDABLE.fullmatch(key):
        raise BadConfiguration(f"{keyring_path(site)} holds no key. Log in again: {ANACONDA_LOGIN}")
    made_at = _claim(key, "iat")
    credential = Credential(key, ANACONDA_LOGIN)
    return LogIn(
        credential, ANACONDA_LOGIN, _changed_at(site) if made_at is None else made_at, _claim(key, "exp")
    )


def _changed_at(site: Site) -> float:
    try:
        return keyring_path(site).stat().st_mtime
    except OSError:
        return 0.0


def _claim(key: str, name: str) -> float | None:
    """Seconds since 1970 in a claim of a JWT; None for a token of another kind."""
    if not JWT.fullmatch(key):
        return None
    payload = key.split(".")[1]
    try:
        value = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get(name)
    except (ValueError, AttributeError):
        return None
    return float(value) if isinstance(value, int | float) and abs(value) < 1e11 else None
