"""A site: one server, and how to reach it. Which one is meant is decided here."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packhouse_client.configuration import Configuration
from packhouse_client.errors import BadConfiguration, NotConfigured, WrongUsage

if TYPE_CHECKING:
    from packhouse_client.session import GlobalOptions

URL_VARIABLES = ("CONDA_REPO_URL", "ANACONDA_REPO_URL")
SITE_VARIABLES = ("ANACONDA_DEFAULT_SITE", "ANACONDA_AUTH_DOMAIN")
NO, YES = frozenset({"0", "false", "no", "off"}), frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class Site:
    name: str
    url: str
    """Scheme, host and port, and the path in front of `/api` if there is one."""
    verify: bool | str
    """Whether certificates are verified, or the file of the CAs to trust."""
    origin: str
    """Where the choice of this site comes from, for people."""
    api_key: str | None = None

    @property
    def domain(self) -> str:
        """Host and port as written: what anaconda-auth keeps a log-in under."""
        return urlsplit(self.url).netloc

    @property
    def channel_alias(self) -> str:
        """What conda puts in front of a channel's name."""
        return f"{self.url}/api/repo"


def choose_site(configuration: Configuration, options: "GlobalOptions") -> Site:
    """The site that the command line, the environment or the configuration names, in this order.

    Raises WrongUsage for a name that is not configured, NotConfigured when nothing names a site.
    """
    if options.site is not None:
        return _site(configuration, options, options.site, "--site")
    for variable in URL_VARIABLES:
        if address := os.environ.get(variable):
            return _at(configuration, options, address, f"environment variable {variable}")
    for variable in SITE_VARIABLES:
        if name := os.environ.get(variable):
            return _site(configuration, options, name, f"environment variable {variable}")
    return _configured(configuration, options)


def _configured(configuration: Configuration, options: "GlobalOptions") -> Site:
    name, path = configuration.get("default_site")
    if name is not None:
        return _site(configuration, options, str(name), str(path))
    if names := configuration.site_names():
        return _site(configuration, options, names[0], "the first site of the configuration")
    for keys in (("plugin", "auth", "domain"), ("url",)):
        address, path = configuration.get(*keys)
        if address is not None:
            return _at(configuration, options, str(address), str(path))
    raise NotConfigured(
        "No server is configured. Name one: conda repo config --set-site ADDRESS, or --site ADDRESS."
    )


def _site(configuration: Configuration, options: "GlobalOptions", name: str, origin: str) -> Site:
    if name in configuration.site_names():
        return _named(configuration, options, name, origin)
    for known in configuration.site_names():
        if urlsplit(_address_of(configuration, known)).netloc == urlsplit(normal_url(name)).netloc:
            return _named(configuration, options, known, origin)
    if _is_address(name):
        return _at(configuration, options, name, origin)
    known_names = ", ".join(configuration.site_names()) or "none"
    raise WrongUsage(f"Site '{name}' ({origin}) is not configured. Configured: {known_names}.")


def _named(configuration: Configuration, options: "GlobalOptions", name: str, origin: str) -> Site:
    address = _address_of(configuration, name)
    api_key, _ = configuration.get("sites", name, "api_key")
    site_verify, _ = configuration.get("sites", name, "ssl_verify")
    verify = _verify(configuration, options, site_verify)
    return Site(name, address, verify, origin, None if api_key is None else str(api_key))


def _address_of(configuration: Configuration, name: str) -> str:
    for key in ("url", "domain"):
        address, path = configuration.get("sites", name, key)
        if address is not None:
            return normal_url(str(address), str(path))
    raise BadConfiguration(
        f"Site '{name}' has no domain. Write it into the configuration: domain = \"HOST\"."
    )


def _at(configuration: Configuration, options: "GlobalOptions", address: str, origin: str) -> Site:
    url = normal_url(address, origin)
    return Site(urlsplit(url).netloc, url, _verify(configuration, options, None), origin)


def _is_address(text: str) -> bool:
    return "://" in text or "." in text or ":" in text or text == "localhost"


def normal_url(address: str, origin: str = "") -> str:
    """`https://` is added where no scheme is written, and what follows the server's root is taken off.

    Raises BadConfiguration for what is no address of a server.
    """
    url = address.strip() if "://" in address else f"https://{address.strip()}"
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good:
        where = f" ({origin})" if origin else ""
        raise BadConfiguration(
            f"'{address}'{where} is not a server's address; write HOST or https://HOST:PORT."
        )
    path = parts.path.rstrip("/").removesuffix("/repo").removesuffix("/api")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"


def _verify(configuration: Configuration, options: "GlobalOptions", of_site: Any) -> bool | str:
    """The nearest word on certificates: the command line, the environment, the site, the whole configuration."""
    if options.insecure:
        return False
    if options.ca_file is not None:
        return _ca_file(str(options.ca_file), "--ca-file")
    if os.environ.get("SSL_NO_VERIFY", "").lower() in YES:
        return False
    said = [os.environ.get("ANACONDA_AUTH_SSL_VERIFY"), of_site, configuration.get("ssl_verify")[0], True]
    return _as_verify(next(value for value in said if value is not None))


def _as_verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in NO | YES or word == "truststore":
        return word not in NO
    return _ca_file(str(value), "ssl_verify")


def _ca_file(path: str, origin: str) -> str:
    expanded = Path(os.path.expandvars(path)).expanduser()
    if not expanded.exists():
        raise BadConfiguration(f"The file of trusted CAs, '{path}' ({origin}), does not exist.")
    return str(expanded)
