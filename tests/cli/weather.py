"""What may be met where a server should be: small servers that break off, talk nonsense, or pass requests on."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx

Answer = Callable[[socket.socket, bytes], None]
HTML = b"<!DOCTYPE html><title>Welcome</title><h1>It works!</h1>"
RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""`linger` for no time: the connection ends with RST, as if the other side were killed."""


@contextmanager
def listening(
    answer: Answer, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[str]:
    """Host and port of a server that gives each connection's first bytes to `answer`."""
    listener = socket.create_server((host, 0))
    thread = threading.Thread(target=_accept, args=(listener, answer, context), daemon=True)
    thread.start()
    try:
        yield f"{host}:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _accept(listener: socket.socket, answer: Answer, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            connection.settimeout(20)
            if context is None:
                answer(connection, connection.recv(65536))
            else:
                with context.wrap_socket(connection, server_side=True) as secure:
                    answer(secure, secure.recv(65536))


def reset(connection: socket.socket, _: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def cut_short(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")


def page(status: str, *headers: str) -> Answer:
    """A page for people, as any web server has."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(HTML)}", *headers]
    text = "\r\n".join([*lines, "Connection: close", "", ""]).encode() + HTML

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(text)

    return answer


@dataclass
class Proxy:
    """A proxy for plain HTTP that writes down what it was asked for."""

    asked: list[str] = field(default_factory=list)

    def __call__(self, connection: socket.socket, request: bytes) -> None:
        line, _, rest = request.partition(b"\r\n")
        method, url, _ = line.decode().split()
        self.asked.append(f"{method} {url}")
        headers = dict(one.split(": ", 1) for one in rest.decode().partition("\r\n\r\n")[0].split("\r\n"))
        with httpx.Client(trust_env=False) as client:
            answer = client.request(method, url, headers={"Authorization": headers.get("Authorization", "")})
        head = f"HTTP/1.1 {answer.status_code} OK\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(answer.content)}\r\n\r\n".encode() + answer.content)
