"""Commands of `conda repo` in processes that are forked from one where everything is imported already.

Starting Python and importing takes ten times as long as most commands do. What a command does to its process,
and what it may read of it, is as from a shell: arguments, environment, folder, the three streams, exit code.
"""

import array
import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

SECONDS = 60
LARGEST_REQUEST = 1 << 20
MODULES = (
    "packhouse_client.failures",
    "packhouse_client.login",
    "packhouse_client.publishing.delivery",
    "packhouse_client.terminal.yaml",
    "packhouse_client.terminal.progress",
    "packhouse_client.configuration.credentials",
    "packhouse_client.suggestions",
    "rich.progress",
    "tomlkit",
)


def run(
    words: Sequence[str], typed: str, environment: Mapping[str, str], folder: Path
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(typed.encode())
        stdin.seek(0)
        request = {"words": list(words), "environment": dict(environment), "folder": str(folder)}
        streams = array.array("i", [stdin.fileno(), out.fileno(), err.fileno()])
        line = _warm_process()
        line.sendmsg([json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        exit_code = int(line.recv(32))
        out.seek(0)
        err.seek(0)
        return exit_code, out.read().decode(), err.read().decode()


@cache
def _warm_process() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST_REQUEST)
    ours.settimeout(SECONDS)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.warm_process", str(theirs.fileno())], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    atexit.register(_end, ours, process)
    return ours


def _end(line: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    line.close()
    process.wait(SECONDS)


# In the warm process


def serve(line: socket.socket) -> None:
    """One command after the other, until nobody holds the other end any more."""
    from importlib import import_module

    from packhouse_client.commands import COMMANDS

    for module in (*MODULES, *(f"packhouse_client.commands.{name}" for name in COMMANDS)):
        import_module(module)
    while True:
        message, streams, _, _ = socket.recv_fds(line, LARGEST_REQUEST, 3)
        if not message:
            return
        child = os.fork()
        if child == 0:
            line.close()
            _become(json.loads(message), streams)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        line.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: dict[str, Any], streams: Sequence[int]) -> None:
    exit_code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        from packhouse_client.__main__ import main

        sys.argv = ["conda-repo", *request["words"]]
        exit_code = main()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
