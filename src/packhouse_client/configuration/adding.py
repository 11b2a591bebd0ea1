"""A server that is made known by its address alone: asked whether it is one, and written down as a site."""

import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packhouse_client.configuration import Configuration
from packhouse_client.configuration.changes import set_values
from packhouse_client.configuration.keys import Keys
from packhouse_client.configuration.sites import normal_url
from packhouse_client.errors import BadConfiguration, ClientError, Unreachable, Untrusted, WrongUsage
from packhouse_client.session import Session

SERVICE_NAME = "repo"
"""What a server of this kind calls itself at `/api/system`."""


def find_server(session: Session, address: str) -> str:
    """The URL of the server at this address. Plain HTTP is tried as well where nobody listens in: on this machine.

    Raises WrongUsage for what is no address, Untrusted for its certificate, Unreachable if there is no server.
    """
    failure: ClientError | None = None
    for url in _candidates(address):
        try:
            if _is_server(session, url):
                return url
            failure = failure or Unreachable(f"No Anaconda Server found at {url}")
        except Unreachable as error:
            failure = failure or _not_found(url, error)
    assert failure is not None, "there is always a candidate"
    raise failure


def _candidates(address: str) -> list[str]:
    try:
        url = normal_url(address)
    except BadConfiguration as error:
        raise WrongUsage(f"URL is not valid: {error}") from error
    is_open = "://" not in address and urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    return [url, url.replace("https://", "http://", 1)] if is_open else [url]


def _is_server(session: Session, url: str) -> bool:
    asked = Session(replace(session.options, site=url), session.program)
    with asked.connect(None) as client:
        try:
            return bool(client.system().get("service_name") == SERVICE_NAME)
        except Unreachable:
            raise
        except ClientError:
            return False


def _not_found(url: str, error: Unreachable) -> Unreachable:
    kind = Untrusted if isinstance(error, Untrusted) else Unreachable
    return kind(f"No Anaconda Server found at {url}: {error}")


def add_site(configuration: Configuration, path: Path, url: str, ca_file: Path | None) -> str:
    """Write the site down as the default one, under the name that is answered. Raises BadConfiguration."""
    name = _free_name(configuration, url)
    site: dict[Keys, Any] = {
        ("default_site",): name,
        ("sites", name, "domain"): urlsplit(url).netloc,
    }
    if urlsplit(url).scheme == "http" or urlsplit(url).path:  # a domain alone would not say so
        site["sites", name, "url"] = url
    if ca_file is not None:
        site["sites", name, "ssl_verify"] = str(ca_file.absolute())
    set_values(path, site)
    return name


def _free_name(configuration: Configuration, url: str) -> str:
    """The last two labels of the host's name, unless another server has them already."""
    parts = urlsplit(url)
    short = _short_name(parts.hostname or parts.netloc)
    domain, _ = configuration.get("sites", short, "domain")
    is_free = domain == parts.netloc or short not in configuration.site_names()
    return short if is_free else parts.netloc


def _short_name(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return ".".join(host.split(".")[-2:])
    return host
