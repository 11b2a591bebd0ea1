"""Whom an operator lets mirrors ask: hosts, addresses, proxies and folders, as the settings say.

What a name means is known only when it is resolved, so its addresses are checked once more when we connect
(`resolver.py`): a name that changes its mind in between gains nothing.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote

from yarl import URL

from packhouse.errors import Invalid, UpstreamRefused
from packhouse.remotes.addresses import is_local_name, is_public, literal_address
from packhouse.settings import Settings

_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f]*:[0-9a-f:.]*(%[a-z0-9._-]+)?")
_PORTS = {"http": 80, "https": 443}


def check_source(settings: Settings, source: str) -> None:
    """Raise Invalid, with the setting that would allow it, for a source that we would refuse to ask.

    No name is resolved here; one with private addresses is refused when it is asked.
    """
    with _as_invalid():
        Rules(settings).check(parsed(source))


def check_proxy(settings: Settings, proxy: str) -> None:
    """Raise Invalid, with the setting that would allow it, for a proxy that we would refuse to ask."""
    with _as_invalid():
        Rules(settings).check_proxy(parsed(proxy))


@contextmanager
def _as_invalid() -> Iterator[None]:
    try:
        yield
    except UpstreamRefused as error:
        raise Invalid(error.message) from error


def parsed(text: str) -> URL:
    """Raises UpstreamRefused, which shows nothing of the text: it may hold a password."""
    try:
        return URL(text)
    except ValueError as error:
        raise UpstreamRefused("The address is no URL: write one such as https://HOST/CHANNEL.") from error


def host_of(url: URL) -> str:
    """The host in the one form that is compared: lower case, ASCII, without the dot at its end."""
    return (url.raw_host or "").lower().rstrip(".")


def place_of(url: URL) -> str:
    """Host and port, as people write them; nothing of a name or password."""
    host = f"[{host_of(url)}]" if ":" in host_of(url) else host_of(url)
    return host if url.port in (None, _PORTS.get(url.scheme)) else f"{host}:{url.port}"


class Rules:
    """The settings about upstreams; each check raises UpstreamRefused with a sentence, or lets pass."""

    def __init__(self, settings: Settings) -> None:
        self._private = settings.allow_private_upstreams
        self._hosts = [_normal(host) for host in settings.allowed_upstreams]
        self._proxies = {_normal(proxy) for proxy in settings.allowed_proxies}
        self._folders = [folder.absolute() for folder in settings.file_upstreams]

    @property
    def allows_private(self) -> bool:
        """Whether it does not matter where a name leads."""
        return self._private

    def check(self, url: URL) -> None:
        """May `url` be asked, directly or through a proxy?"""
        if url.scheme == "file":
            self._check_folder(url)
            return
        if url.scheme not in _PORTS:
            raise UpstreamRefused(f"'{url.scheme}' is no scheme that is mirrored: http, https and file are.")
        host = host_of(url)
        _check_form(host)
        if not self._is_listed(host):
            raise UpstreamRefused(
                f"The host '{host}' is not one that mirrors may ask. "
                "The server's operator can add it to the setting 'allowed_upstreams'."
            )
        if not self._private:
            _check_is_outside(host, "allow_private_upstreams")

    def check_proxy(self, proxy: URL) -> None:
        """May `proxy` be asked?"""
        if proxy.scheme not in _PORTS:
            raise UpstreamRefused(f"'{proxy.scheme}' is no scheme of a proxy: http and https are.")
        host = host_of(proxy)
        _check_form(host)
        if not self._private and not self._is_named_proxy(host, proxy.port):
            _check_is_outside(host, "allowed_proxies")

    def check_redirect(self, url: URL, target: URL) -> None:
        """May an answer from `url` send us to `target`?"""
        where = f"{place_of(url)} sends us on to "
        if target.scheme not in _PORTS:
            raise UpstreamRefused(f"{where}an address of '{target.scheme}', which is not followed.")
        if url.scheme == "https" and target.scheme == "http":
            raise UpstreamRefused(f"{where}{place_of(target)} without TLS, which is not followed.")
        try:
            self.check(target)
        except UpstreamRefused as error:
            raise UpstreamRefused(f"{where}{place_of(target)}. {error.message}") from error

    def check_addresses(self, host: str, addresses: Iterable[str], port: int, as_proxy: bool) -> None:
        """May we connect to each of the addresses that `host` was found to have?"""
        if self._private or (as_proxy and self._is_named_proxy(host, port)):
            return
        setting = "allowed_proxies" if as_proxy else "allow_private_upstreams"
        for address in addresses:
            if not is_public(ip_address(address)):
                raise UpstreamRefused(_inside(f"'{host}' has the address {address}, which", setting))

    def path_of(self, url: URL) -> Path:
        """The file that a file URL means, symlinks followed, if it lies in a folder of the settings."""
        self._check_folder(url)
        try:
            path = _path(url).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # symlinks in a circle, a NUL in the name
            raise UpstreamRefused(_outside(url)) from error
        if not any(path.is_relative_to(folder.resolve()) for folder in self._folders):
            raise UpstreamRefused(_outside(url))
        return path

    def _check_folder(self, url: URL) -> None:
        path = _path(url)
        if ".." in path.parts or not any(path.is_relative_to(folder) for folder in self._folders):
            raise UpstreamRefused(_outside(url))

    def _is_listed(self, host: str) -> bool:
        if not self._hosts:
            return True
        return any(
            host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
            for pattern in self._hosts
        )

    def _is_named_proxy(self, host: str, port: int | None) -> bool:
        return bool(self._proxies & {host, f"{host}:{port}"})


def _check_form(host: str) -> None:
    """One form for each host, so that nobody along the way reads another one out of it."""
    if not _HOST.fullmatch(host):
        raise UpstreamRefused("The address names no host: write one such as https://HOST/CHANNEL.")
    address = literal_address(host)
    if address is None and ":" in host:
        raise UpstreamRefused(f"'{host}' is no address.")
    if address is not None and address.version == 4 and str(address) != host:
        raise UpstreamRefused(
            f"'{host}' is another way to write {address}, which is not understood: write that."
        )


def _check_is_outside(host: str, setting: str) -> None:
    address = literal_address(host)
    if is_local_name(host) or (address is not None and not is_public(address)):
        raise UpstreamRefused(_inside(f"'{host}'", setting))


def _inside(subject: str, setting: str) -> str:
    return (
        f"{subject} lies in a private network, or on this machine. "
        f"The server's operator can allow that by the setting '{setting}'."
    )


def _outside(url: URL) -> str:
    return (
        f"'{_path(url)}' lies in no folder that mirrors may read. "
        "The server's operator can name its folder in the setting 'file_upstreams'."
    )


def _path(url: URL) -> Path:
    if url.raw_host:
        return Path(f"//{url.raw_host}{url.raw_path}")  # another machine's: below no folder of ours
    return Path(unquote(url.raw_path))


def _normal(host: str) -> str:
    plain = host.strip().lower().rstrip(".")
    return plain if plain.isascii() else plain.encode("idna").decode()
