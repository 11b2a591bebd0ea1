"""A site: one server, and how to reach it. Which one is meant is decided here."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packhouse_client.configuration import Configuration, Source, expand
from packhouse_client.errors import BadConfiguration, NotConfigured, WrongUsage

if TYPE_CHECKING:
    from packhouse_client.global_options import GlobalOptions

URL_VARIABLES = ("CONDA_REPO_URL", "ANACONDA_REPO_URL")
SITE_VARIABLES = ("ANACONDA_AUTH_DOMAIN", "ANACONDA_DEFAULT_SITE")
"""In the order of anaconda-auth, for which the domain of the environment wins over any site."""
NO, YES = frozenset({"0", "false", "no", "off"}), frozenset({"1", "true", "yes", "on"})
TRUSTSTORE = "truststore"
"""anaconda-auth's word for the CAs of the operating system."""
DEFAULT = "default"
KEYRING = "~/.anaconda/keyring"
SYSTEM_STORAGE = "system"
"""The `preferred_token_storage` of those who let the operating system keep their log-ins."""

Found = tuple[Any, str]
"""A value, and where it comes from, for people."""


@dataclass(frozen=True, slots=True)
class Site:
    name: str
    url: str
    """Scheme, host and port, and the path in front of `/api` if there is one."""
    verify: bool | str
    """Whether certificates are verified, or the file of the CAs to trust."""
    origin: str
    """Where the choice of this site comes from, for people."""
    api_key: str | None = field(default=None, repr=False)
    url_origin: str = ""
    verify_origin: str = DEFAULT
    keyring_path: Path | None = None
    """Where anaconda-auth keeps log-ins, if not in its usual file."""
    token_storage: str | None = None

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

    Raises WrongUsage for a `--site` that is not configured, BadConfiguration for such a name elsewhere,
    NotConfigured when nothing names a site.
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
        return _named(configuration, options, names[0], "the first site of the configuration")
    for keys in (("plugin", "auth", "domain"), ("url",)):
        address, path = configuration.get(*keys)
        if address is not None:
            return _at(configuration, options, str(address), str(path))
    raise NotConfigured(
        "No server is configured. Name one: conda repo config --set-site ADDRESS, or --site ADDRESS."
    )


def _site(configuration: Configuration, options: "GlobalOptions", name: str, origin: str) -> Site:
    known_names = configuration.site_names()
    if name in known_names:
        return _named(configuration, options, name, origin)
    if not _is_address(name):
        raise _unknown(name, known_names, origin)
    domain = urlsplit(normal_url(name, origin)).netloc
    for known in known_names:
        if "://" not in name and urlsplit(_address_of(configuration, known)[0]).netloc == domain:
            return _named(configuration, options, known, origin)
    return _at(configuration, options, name, origin)


def _unknown(name: str, known: list[str], origin: str) -> WrongUsage | BadConfiguration:
    from packhouse_client.suggestions import did_you_mean

    names = ", ".join(known) or "none"
    kind = WrongUsage if origin == "--site" else BadConfiguration
    return kind(
        f"Site '{name}' ({origin}) is not configured.{did_you_mean(name, known)} Configured: {names}. "
        "Add it: conda repo config --set-site ADDRESS"
    )


def _named(configuration: Configuration, options: "GlobalOptions", name: str, origin: str) -> Site:
    url, url_origin = _address_of(configuration, name)
    verify, verify_origin = _verify(configuration, options, name)
    api_key, _ = configuration.get("sites", name, "api_key")
    return Site(
        name=name,
        url=url,
        verify=verify,
        origin=origin,
        api_key=None if api_key is None else str(api_key),
        url_origin=url_origin,
        verify_origin=verify_origin,
        keyring_path=_keyring_path(configuration, name),
        token_storage=_of_auth(configuration, name, "preferred_token_storage")[0],
    )


def _at(configuration: Configuration, options: "GlobalOptions", address: str, origin: str) -> Site:
    url = normal_url(address, origin)
    verify, verify_origin = _verify(configuration, options, None)
    return Site(
        name=urlsplit(url).netloc,
        url=url,
        verify=verify,
        origin=origin,
        url_origin=origin,
        verify_origin=verify_origin,
        keyring_path=_keyring_path(configuration, None),
        token_storage=_of_auth(configuration, None, "preferred_token_storage")[0],
    )


# Addresses


def _address_of(configuration: Configuration, name: str) -> Found:
    for source in configuration.sources:
        address = _written_address(source, name)
        if address is not None:
            return normal_url(str(address), str(source.path)), str(source.path)
    raise BadConfiguration(
        f"Site '{name}' has no domain. Name it: conda repo config --set 'sites.\"{name}\".domain' HOST"
    )


def _written_address(source: Source, name: str) -> Any:
    """The older `url` says more than a `domain`: the scheme, which anaconda-auth does without."""
    url = source.get("sites", name, "url")
    return source.get("sites", name, "domain") if url is None else url


def _is_address(text: str) -> bool:
    return "://" in text or "." in text or ":" in text or text == "localhost"


def normal_url(address: str, origin: str = "") -> str:
    """`https://` is added where no scheme is written, and what follows the server's root is taken off.

    Raises BadConfiguration for what is no address of a server.
    """
    url = address.strip() if "://" in address else f"https://{address.strip()}"
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and _is_host(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good:
        where = f" ({origin})" if origin else ""
        raise BadConfiguration(
            f"'{address}'{where} is not a server's address; write HOST or https://HOST:PORT."
        )
    path = parts.path.rstrip("/").removesuffix("/repo").removesuffix("/api")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"


def _is_host(host: str | None) -> bool:
    return bool(host) and host is not None and host.isprintable() and not set(host) & set(" \\<>\"'")


# Certificates


def _verify(
    configuration: Configuration, options: "GlobalOptions", name: str | None
) -> tuple[bool | str, str]:
    """The nearest word on certificates: the command line, the environment, the site, the whole configuration."""
    if options.insecure:
        return False, "--insecure"
    if options.ca_file is not None:
        return _ca_file(str(options.ca_file), "--ca-file"), "--ca-file"
    if os.environ.get("SSL_NO_VERIFY", "").lower() in YES:
        return False, "environment variable SSL_NO_VERIFY"
    value, origin = _of_auth(configuration, name, "ssl_verify")
    if value is None:
        value, path = configuration.get("ssl_verify")
        origin = str(path)
    return (True, DEFAULT) if value is None else (_as_verify(value, origin), origin)


def _as_verify(value: Any, origin: str) -> bool | str:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in NO | YES or word == TRUSTSTORE:
        return word not in NO
    return _ca_file(str(value), f"ssl_verify of {origin}")


def _ca_file(path: str, origin: str) -> str:
    expanded = expand(path)
    if not expanded.exists():
        raise BadConfiguration(f"The file of trusted CAs, '{path}' ({origin}), does not exist.")
    return str(expanded)


# What anaconda-auth is told


def _of_auth(configuration: Configuration, name: str | None, key: str) -> Found:
    """A setting that we share with anaconda-auth, found as it does: environment, site, `[plugin.auth]`."""
    variable = f"ANACONDA_AUTH_{key.upper()}"
    if value := os.environ.get(variable):
        return value, f"environment variable {variable}"
    for keys in ((("sites", name, key),) if name else ()) + (("plugin", "auth", key),):
        found, path = configuration.get(*keys)
        if found is not None:
            return found, str(path)
    return None, DEFAULT


def _keyring_path(configuration: Configuration, name: str | None) -> Path:
    value, _ = _of_auth(configuration, name, "keyring_path")
    return expand(KEYRING if value is None else str(value))
