"""Sends one request over HTTP, follows redirects by our rules, and says in our errors what went wrong."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from packhouse import __version__
from packhouse.errors import UpstreamAnswered, UpstreamError, UpstreamRefused, UpstreamUnreachable
from packhouse.remotes.answers import Answer, shown
from packhouse.remotes.pace import PASSING_STATUSES, Pace, Passing, Patience, TooSlow
from packhouse.remotes.resolver import CheckedResolver, ProxiedTargets
from packhouse.remotes.rules import Rules, host_of, place_of
from packhouse.settings import Settings

CONNECT_SECONDS = 10
TUNNEL_SECONDS = 20
"""For a name, a connection, a proxy's tunnel and TLS, all together."""
IDLE_SECONDS = 30
KNOWN_ADDRESS_SECONDS = 10
"""How long a checked address of a name is used without resolving the name again."""
DRAIN_SECONDS = 1
MOST_REDIRECTS = 10
BUFFER_BYTES = 64 * 1024
"""Of each answer; more of it costs more than it saves: the bytes leave the processor's cache meanwhile."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PROXY_WANTS_PASSWORD = 407


class Exchange:
    """Connections to all upstreams. Made and used in the one event loop, and closed there."""

    def __init__(
        self,
        settings: Settings,
        rules: Rules,
        pace: Pace,
        lookup: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._pace = pace
        self._lookup = lookup or aiohttp.ThreadedResolver()
        self._tls = tls or True
        self._timeout = aiohttp.ClientTimeout(
            connect=TUNNEL_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=settings.upstream_timeout_seconds
        )
        self._answer_seconds = TUNNEL_SECONDS + settings.upstream_timeout_seconds
        """Until the body begins; aiohttp alone would wait anew after each byte of the headers."""
        self._proxied_targets = ProxiedTargets(rules, self._lookup)
        self._direct = self._session(as_proxy=False)
        self._proxied = self._session(as_proxy=True)
        # Not aiohttp's `limit_per_host`: its time limit for connecting would count the wait for a place.
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(settings.upstream_connections)
        )

    async def close(self) -> None:
        await self._direct.close()
        await self._proxied.close()
        await self._lookup.close()

    @asynccontextmanager
    async def ask(self, url: URL, proxy: URL | None, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        """The answer, after redirects. Raises UpstreamError for what stays so, and Passing for what may pass."""
        self._rules.check(url)
        if proxy is not None:
            self._rules.check_proxy(proxy)
        patience = Patience(self._pace.patience_seconds)
        status = 0
        for _ in range(MOST_REDIRECTS + 1):
            if proxy is not None:
                await self._proxied_targets.check(url)
            async with self._places[place_of(url)]:
                await self._pace.wait_for(host_of(url))
                async with self._sent(url, proxy, headers) as response:
                    target = _redirect(response)
                    if target is None:
                        yield Answer(
                            response.status, response.headers, url, _chunks(response, proxy, patience)
                        )
                        return
            self._rules.check_redirect(url, target)
            url, status = target, response.status
        raise UpstreamAnswered(f"{shown(url)} sends us on more than {MOST_REDIRECTS} times.", status)

    @asynccontextmanager
    async def _sent(
        self, url: URL, proxy: URL | None, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        password = _proxy_password(proxy)
        is_tunnel = url.scheme == "https"  # where the proxy is asked first, and the upstream is not to know
        with _explained(url, proxy):
            async with asyncio.timeout(self._answer_seconds):
                response = await (self._direct if proxy is None else self._proxied).get(
                    url,
                    headers=headers if is_tunnel else {**headers, **password},
                    proxy=proxy and proxy.with_user(None),
                    proxy_headers=password if is_tunnel else None,
                    allow_redirects=False,
                    # A file is what its digest is of, whatever a server says of its encoding.
                    auto_decompress=headers["Accept-Encoding"] != "identity",
                )
        try:
            if proxy is not None and response.status == _PROXY_WANTS_PASSWORD:
                raise _proxy_refuses(proxy, response.status)
            if response.status >= 300:
                await _drain(response)
            yield response
        finally:
            response.release()

    def _session(self, as_proxy: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._rules, self._lookup, as_proxy),
            ttl_dns_cache=KNOWN_ADDRESS_SECONDS,
            ssl=self._tls,
            limit=0,
            keepalive_timeout=IDLE_SECONDS,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"packhouse/{__version__}"},
            timeout=self._timeout,
            read_bufsize=BUFFER_BYTES,
            trust_env=False,
        )


def check_status(answer: Answer) -> None:
    """Raise Passing for a status that may pass, and UpstreamAnswered for any other one above 399."""
    if answer.status < 400:
        return
    error = UpstreamAnswered(f"{shown(answer.url)} is answered with status {answer.status}.", answer.status)
    raise Passing(error) if answer.status in PASSING_STATUSES else error


def _redirect(response: aiohttp.ClientResponse) -> URL | None:
    location = response.headers.get("Location")
    if response.status not in _REDIRECTS or location is None:
        return None
    # A signed address is left as it is written; quoting it anew could break the signature.
    is_plain = location.isascii() and location.isprintable() and " " not in location
    try:
        target = response.url.join(URL(location, encoded=is_plain)).with_fragment(None)
        return target if target.raw_user is None else target.with_user(None)
    except ValueError as error:
        raise UpstreamAnswered(
            f"{shown(response.url)} sends us on to what is no address.", response.status
        ) from error


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Reads what nobody wants, if it comes soon: a connection with unread bytes cannot be used again."""
    size = 0
    with suppress(aiohttp.ClientError, OSError):  # TimeoutError is one of these
        async with asyncio.timeout(DRAIN_SECONDS):
            while size <= BUFFER_BYTES and (chunk := await response.content.readany()):
                size += len(chunk)


async def _chunks(
    response: aiohttp.ClientResponse, proxy: URL | None, patience: Patience
) -> AsyncIterator[bytes]:
    body = response.content.iter_any()
    while True:
        with _explained(response.url, proxy):
            try:
                chunk = await patience.next_chunk(body)
            except StopAsyncIteration:
                return
        yield chunk


@contextmanager
def _explained(url: URL, proxy: URL | None) -> Iterator[None]:
    """Our errors in place of those of aiohttp, asyncio and the kernel."""
    try:
        yield
    except aiohttp.InvalidURL as error:
        raise UpstreamRefused(
            f"{shown(url)} is no address that can be asked: {error.description}."
        ) from error
    except aiohttp.ClientHttpProxyError as error:
        raise _proxy_status(proxy, error.status) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise UpstreamUnreachable(
            f"The certificate of {place_of(url)} is not trusted: {_reason(error)}."
        ) from error
    except TooSlow as error:
        raise Passing(_unreachable(url, proxy, "it comes too slowly")) from error
    except TimeoutError as error:
        raise Passing(_unreachable(url, proxy, "nothing came in time")) from error
    except (aiohttp.ClientError, OSError) as error:
        raise Passing(_unreachable(url, proxy, _reason(error))) from error


def _unreachable(url: URL, proxy: URL | None, reason: str) -> UpstreamUnreachable:
    through = f" through the proxy {place_of(proxy)}" if proxy is not None else ""
    return UpstreamUnreachable(f"{shown(url)} cannot be fetched{through}: {reason}.")


def _proxy_status(proxy: URL | None, status: int) -> UpstreamError | Passing:
    assert proxy is not None, "only a proxy is asked for a tunnel"
    error = _proxy_refuses(proxy, status)
    return Passing(error) if status in PASSING_STATUSES else error


def _proxy_refuses(proxy: URL, status: int) -> UpstreamUnreachable:
    hint = ": check the name and password in its address" if status == _PROXY_WANTS_PASSWORD else ""
    return UpstreamUnreachable(f"The proxy {place_of(proxy)} refuses with status {status}{hint}.")


def _proxy_password(proxy: URL | None) -> dict[str, str]:
    if proxy is None or proxy.user is None:
        return {}
    return {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.user, proxy.password or "")}


def _reason(error: Exception) -> str:
    """A few words; the texts of aiohttp are about its own objects."""
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionResetError):
        return "the connection broke off"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"no address is known for the host '{error.host}'"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return getattr(error.certificate_error, "verify_message", "") or "it is not valid"
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return "TLS cannot be agreed on"
    if isinstance(error, aiohttp.ClientConnectorError):
        return (error.strerror or "no connection").partition("(")[0].strip().lower() or "no connection"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is no HTTP"
    return getattr(error, "strerror", None) or type(error).__name__
