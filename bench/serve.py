"""Requests a second and 95th percentile of what clients ask for, beside nginx and quetz on the same bytes."""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgpack  # type: ignore[import-untyped]  # it has no stubs
import report
import serve_page
import synth
from fill import fill
from house import House, UnexpectedAnswer, ensure_channel
from load import Load, Measured, press, wrk_program
from peers import Nginx, Quetz, nginx_program
from targets import Document, Request, Target

PUBLIC, PRIVATE = "serve-public", "serve-private"
SHARD_INDEX, REPODATA = "repodata_shards.msgpack.zst", "repodata.json.zst"
LARGE = synth.Recipe("synth-large", "1.0", payload_bytes=1_000_000)
QUETZ_INDEXING_SECONDS = 5.0  # it indexes behind an upload; files put in by hand must come after that


def house_targets(house: House, packages: list[Path]) -> list[Target]:
    """Our server three ways: open to all, and private with each kind of credential that installers send."""
    for channel, privacy in ((PUBLIC, "public"), (PRIVATE, "private")):
        ensure_channel(house.log_in(), channel, privacy)
        fill(house, channel, packages)
    token = house.make_token()
    root = f"{house.base}/api/repo"
    return [
        with_documents(Target("Packhouse, public", f"{root}/{PUBLIC}/{synth.SUBDIR}")),
        with_documents(
            Target(
                "Packhouse, private, Bearer",
                f"{root}/{PRIVATE}/{synth.SUBDIR}",
                {"Authorization": f"Bearer {token}"},
            )
        ),
        with_documents(
            Target("Packhouse, private, token in path", f"{root}/t/{token}/{PRIVATE}/{synth.SUBDIR}")
        ),
    ]


def with_documents(target: Target) -> Target:
    """The four documents; the shard's name is in the shard index, and differs from channel to channel."""
    index = msgpack.unpackb(target.fetch(SHARD_INDEX).decompressed())
    shard: bytes = index["shards"][synth.package_name(0)]
    documents = (
        Document("304", REPODATA, conditional=True),
        Document("shard", f"shards/{shard.hex()}.msgpack.zst"),
        Document(REPODATA, REPODATA),
        Document("1 MB package", LARGE.file_name),
    )
    return target.with_documents(documents)


@contextlib.contextmanager
def nginx_targets(contents: dict[str, bytes], model: Target, work: Path) -> Iterator[list[Target]]:
    """The same bytes as plain files."""
    program = nginx_program()
    if program is None:
        yield []
        return
    root = work / "static"
    shutil.rmtree(root, ignore_errors=True)
    for path, content in {"ready.txt": b"ready\n", **contents}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    with Nginx(program, root, work / "nginx") as nginx:
        yield [Target("nginx", nginx.base).with_documents(model.documents)]


@contextlib.contextmanager
def quetz_targets(
    contents: dict[str, bytes], model: Target, large: Path, environment: Path | None, work: Path
) -> Iterator[list[Target]]:
    """The large package by its API; the indexes, which it cannot make, by hand in its package store."""
    if environment is None:
        yield []
        return
    with Quetz(environment, work / "quetz" / "deployment") as quetz:
        for channel, private in ((PUBLIC, False), (PRIVATE, True)):
            quetz.create_channel(channel, private)
            quetz.upload(channel, large)
            time.sleep(QUETZ_INDEXING_SECONDS)
            for path in contents.keys() - {large.name}:
                quetz.place(channel, f"{synth.SUBDIR}/{path}", contents[path])
        root = f"{quetz.base}/get"
        yield [
            Target("quetz, public", f"{root}/{PUBLIC}/{synth.SUBDIR}").with_documents(model.documents),
            Target(
                "quetz, private, key", f"{root}/{PRIVATE}/{synth.SUBDIR}", quetz.credentials, model.documents
            ),
        ]


def measure(
    targets: list[Target], contents: dict[str, bytes], load: Load, repeats: int
) -> serve_page.Results:
    """Every server in turn, then all again: a slow moment of the machine does not meet one of them only."""
    results: serve_page.Results = {}
    for position, document in enumerate(targets[0].documents):
        requests = {target.name: _tried(target, position, contents) for target in targets}
        runs: dict[str, list[Measured]] = {name: [] for name in requests}
        for _ in range(repeats):
            for name, request in requests.items():
                runs[name].append(press(request.url, request.headers, load))
                print(f"{document.name}: {name}: {runs[name][-1]}", flush=True)
        if requests != {target.name: _tried(target, position, contents) for target in targets}:
            raise UnexpectedAnswer(f"{document.name} changed while it was measured")
        results[document.name] = {name: serve_page.Row(requests[name].status, runs[name]) for name in runs}
    return results


def _tried(target: Target, position: int, contents: dict[str, bytes]) -> Request:
    """Peers must serve our bytes; a private channel of ours has bytes of its own (its files came later)."""
    document = target.documents[position]
    return target.request(document, contents[document.path] if target.is_peer else None)


def main() -> None:
    arguments = parse()
    if wrk_program() is None:
        sys.exit("wrk is needed (Debian: apt-get install wrk)")
    packages = synth.write_packages(arguments.records, arguments.work / "packages")
    large = synth.write_package(LARGE, arguments.work)
    load = Load(arguments.seconds, arguments.connections, arguments.threads)
    with contextlib.ExitStack() as running:
        fresh = Path(
            running.enter_context(tempfile.TemporaryDirectory(prefix="packhouse-", dir=arguments.work))
        )
        house = running.enter_context(House(fresh, arguments.work / "packhouse.log"))
        targets = house_targets(house, [*packages, large])
        model = targets[0]
        contents = {document.path: model.fetch(document.path).body for document in model.documents}
        targets += running.enter_context(nginx_targets(contents, model, arguments.work))
        targets += running.enter_context(
            quetz_targets(contents, model, large, arguments.quetz_venv, arguments.work)
        )
        results = measure(targets, contents, load, arguments.repeats)
    sizes = {document.name: len(contents[document.path]) for document in model.documents}
    report.write_page("serve", serve_page.page(results, sizes, load, arguments.repeats))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "packhouse-bench")
    parser.add_argument(
        "--quetz-venv", type=Path, help="environment with quetz-server; without it no rows of quetz"
    )
    parser.add_argument("--records", type=int, default=1_000, help="packages in the channel")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1, help="threads of wrk")
    return parser.parse_args()


if __name__ == "__main__":
    main()
