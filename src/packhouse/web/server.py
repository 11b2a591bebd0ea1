"""One process, two doors: the application behind plain HTTP and behind TLS, from start to graceful stop.

Granian runs embedded, so that both doors share one application object and its caches; what that
asks of us, and what it brings, is in `docs/decisions/0002-granian-embedded.md`.
"""

import asyncio
import ipaddress
import logging
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP2Settings
from granian.server.embed import Server

from packhouse.errors import Invalid
from packhouse.settings import Settings
from packhouse.web.asgi import Application
from packhouse.web.certificates import Certificate, certificate_for
from packhouse.web.request_log import RequestLog

STOP_SECONDS = 10
"""How long a stop waits for requests under way; Docker waits as long before it kills."""
MAX_CONNECTIONS = 4096
"""A door counts open connections, idle ones too, and lets the next one wait (granian's `backpressure`)."""
FILES_PER_CONNECTION = 4
"""Open files to allow for each: its socket, the file sent through it, and as many for all else."""
BACKLOG = 1024
MAX_HTTP2_HEADERS_BYTES = 64 * 1024
ACCEPT_POLL_SECONDS = 0.005


@dataclass(frozen=True)
class Addresses:
    """Where a running server is reached."""

    http: str
    https: str | None
    ca: Path | None
    """The certificate that clients have to trust for `https`, when the local CA signed it."""


@dataclass(frozen=True)
class _Door:
    held: socket.socket
    certificate: Certificate | None

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.held.getsockname()[:2]
        return host, port


def serve(
    application: Application,
    settings: Settings,
    on_ready: Callable[[Addresses], None] = lambda _: None,
    stop_seconds: float = STOP_SECONDS,
) -> None:
    """Answer requests until SIGTERM or SIGINT; then take no more, finish those under way, and return.

    Each request is logged, where the settings log at `info`. Requests that need longer than
    `stop_seconds`, or a second signal, are cut off. `application` sees no lifespan events: it is
    served twice, and whoever calls this starts and stops what it needs.
    Raises `Invalid` for an address or a certificate that cannot be used.
    """
    certificate = certificate_for(settings) if settings.tls else None
    with _held_doors(settings, certificate) as doors, _logged(application, settings) as logged:
        uvloop.run(_serve(logged, doors, lambda: on_ready(_addresses(settings, doors)), stop_seconds))


async def _serve(
    application: Application, doors: Sequence[_Door], on_open: Callable[[], None], stop_seconds: float
) -> None:
    connections = _connections_per_door(len(doors))
    servers = [_granian(application, door, connections) for door in doors]
    stop_asked, hurry_asked = _signals()
    running = asyncio.gather(*(server.serve() for server in servers))
    try:
        await _wait_until_open(doors, running)
        on_open()
        await _first(running, stop_asked.wait())
        for server in servers:
            server.stop()  # type: ignore[no-untyped-call]  # granian has not typed it
        await _first(running, hurry_asked.wait(), asyncio.sleep(stop_seconds))
    finally:
        await _end(running)


async def _first(running: "asyncio.Future[Any]", *others: Awaitable[Any]) -> None:
    """Wait for any of them; an error of the servers is raised here."""
    waiting = [asyncio.ensure_future(other) for other in others]
    done, _ = await asyncio.wait([running, *waiting], return_when=asyncio.FIRST_COMPLETED)
    for other in waiting:
        other.cancel()
    if running in done:
        running.result()


async def _end(running: "asyncio.Future[Any]") -> None:
    if not running.done():
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Events that the first and the second signal to stop set."""
    stop_asked, hurry_asked = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (hurry_asked if stop_asked.is_set() else stop_asked).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop_asked, hurry_asked


def _granian(application: Application, door: _Door, connections: int) -> Server:
    host, port = door.address
    certificate = door.certificate
    server = Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        backlog=BACKLOG,
        backpressure=connections,
        http2_settings=HTTP2Settings(max_headers_size=MAX_HTTP2_HEADERS_BYTES),
        log_dictconfig={"incremental": True, "handlers": {}, "loggers": {}},  # no handlers of its own
        ssl_cert=certificate.chain if certificate else None,
        ssl_key=certificate.key if certificate else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    _quieten(logging.getLogger("_granian"))
    return server


def _quieten(logger: logging.Logger) -> None:
    """Its news of workers and of being experimental are ours to know, not the operator's."""
    logger.setLevel(logging.WARNING)
    if _is_news not in logger.filters:
        logger.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return "is experimental" not in record.getMessage()


@contextmanager
def _logged(application: Application, settings: Settings) -> Iterator[Application]:
    if settings.log_level not in ("debug", "info"):
        yield application
        return
    request_log = RequestLog(application, settings.log_format)
    try:
        yield request_log
    finally:
        request_log.flush()


@contextmanager
def _held_doors(settings: Settings, certificate: Certificate | None) -> Iterator[Sequence[_Door]]:
    doors: list[_Door] = []
    try:
        doors.append(_Door(_hold(settings.host, settings.port), None))
        if certificate is not None:
            doors.append(_Door(_hold(settings.host, settings.tls_port), certificate))
        yield doors
    finally:
        for door in doors:
            door.held.close()


def _hold(host: str, port: int) -> socket.socket:
    """Bind an address (port 0: any free one) as its only owner, and only then let granian share it.

    Granian always binds with SO_REUSEPORT, so a second server on the same port would start without
    a word and take half of the requests of the first. The socket never listens: it only keeps the place.
    """
    family, address = _resolve(host, port)
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError as error:
        held.close()
        raise Invalid(_why_not(host, port, error)) from error
    return held


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise Invalid(f"Cannot listen on '{host}': no such host or address on this machine.") from error
    return family, address


def _why_not(host: str, port: int, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"Cannot listen on port {port}: ports below 1024 need root. Choose another one."
    reason = (error.strerror or str(error)).lower()
    return f"Cannot listen on {host} port {port}: {reason}. Choose another one or stop what uses it."


def _connections_per_door(doors: int) -> int:
    """As many as the limit of open files bears, which is raised as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_PER_CONNECTION * doors * MAX_CONNECTIONS
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return min(MAX_CONNECTIONS, limit // (FILES_PER_CONNECTION * doors))


async def _wait_until_open(doors: Sequence[_Door], running: "asyncio.Future[Any]") -> None:
    for door in doors:
        while not await _is_open(door):
            if running.done():
                running.result()
            await asyncio.sleep(ACCEPT_POLL_SECONDS)


async def _is_open(door: _Door) -> bool:
    host, port = door.address
    try:
        _, writer = await asyncio.open_connection(_reachable(host), port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


def _reachable(host: str) -> str:
    """An address to connect to: a server on 'every address' (0.0.0.0, ::) is met on loopback."""
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


def _addresses(settings: Settings, doors: Sequence[_Door]) -> Addresses:
    http, *tls = (_url(settings.host, door) for door in doors)
    certificate = doors[-1].certificate
    return Addresses(http, tls[0] if tls else None, certificate.ca if certificate else None)


def _url(host: str, door: _Door) -> str:
    scheme = "http" if door.certificate is None else "https"
    name = _shown(host)
    return f"{scheme}://{name}:{door.address[1]}"


def _shown(host: str) -> str:
    """The host as people type it into a client: the machine's name when we listen on every address."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            return socket.gethostname()
        if address.version == 6:
            return f"[{host}]"
    return host
