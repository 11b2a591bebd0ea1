"""The log-ins of `anaconda login`, read where anaconda-auth keeps them."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packhouse_client.configuration import expand
from packhouse_client.configuration.sites import KEYRING, SYSTEM_STORAGE, Site
from packhouse_client.errors import BadConfiguration

KEYRING_SERVICE = "Anaconda Cloud"
"""What anaconda-auth files its log-ins under."""


def find_api_key(site: Site) -> str | None:
    """The API key of a log-in to this site. Raises BadConfiguration where it cannot be read."""
    key = _from_file(site)
    if key is None and site.token_storage == SYSTEM_STORAGE:
        return _from_system(site)
    return key


def keyring_path(site: Site) -> Path:
    return site.keyring_path or expand(KEYRING)


def _from_file(site: Site) -> str | None:
    """Read as anaconda-auth writes it: importing it for one file would take half a second."""
    path = keyring_path(site)
    try:
        text = path.read_text("utf-8") or "{}"  # anaconda-auth makes an empty file to see if it may
        return _api_key(json.loads(text).get(KEYRING_SERVICE, {}), site.domain)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BadConfiguration(f"{path} cannot be read: {error}. Log in again: anaconda login") from error


def _api_key(log_ins: Mapping[str, str], domain: str) -> str | None:
    """That of the domain, however its letters are written. Raises ValueError or TypeError for no log-in."""
    for name, kept in log_ins.items():
        if name.lower() == domain.lower():
            key = json.loads(base64.b64decode(kept)).get("api_key")
            return key if isinstance(key, str) and key else None
    return None


def _from_system(site: Site) -> str | None:
    """Only anaconda-auth knows how it got into the operating system's keyring."""
    token_info = _token_info()
    try:
        found = token_info.TokenInfo.load(site.domain).api_key
    except token_info.TokenNotFoundError:
        return None
    except Exception as error:  # keyrings are plugins, and raise what they like
        raise BadConfiguration(
            f"The keyring of this system cannot be read: {error}. Set CONDA_REPO_TOKEN to a token instead."
        ) from error
    return str(found) if found else None


def _token_info() -> Any:
    try:
        from anaconda_auth import token
    except ImportError as error:
        raise BadConfiguration(
            f"The log-in to '{SYSTEM_STORAGE}' storage takes anaconda-auth to read, which is not installed here. "
            "Install it, or set CONDA_REPO_TOKEN to a token, or run: conda repo login"
        ) from error
    return token
