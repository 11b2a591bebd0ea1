"""A TCP proxy on this machine that breaks connections where a test wants it."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class CuttingProxy:
    """Between a client and a server. The next connections end after as many sent bytes as `cuts` says."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.cuts: list[int] = []
        self.sent = 0
        """Bytes that clients sent and that went through."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):  # the listener was closed: the end
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                cut = self.cuts.pop(0) if self.cuts else None
                for pump in (self._send, self._answer):
                    arguments = (client, server, cut) if pump == self._send else (client, server)
                    threading.Thread(target=pump, args=arguments, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _send(self, client: socket.socket, server: socket.socket, cut: int | None) -> None:
        left = cut
        with suppress(OSError):
            while data := client.recv(65536 if left is None else min(65536, left)):
                server.sendall(data)
                self.sent += len(data)
                if left is not None:
                    left -= len(data)
                    if left == 0:
                        _break(client)
        _end(server)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        _end(client)


def _break(connection: socket.socket) -> None:
    """With a reset, as a network does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def cutting_proxy(url: str) -> Iterator[CuttingProxy]:
    host, port = url.removeprefix("http://").split(":")
    proxy = CuttingProxy((host, int(port)))
    thread = threading.Thread(target=proxy.run)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
