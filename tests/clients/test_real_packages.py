"""Real packages of five platforms, uploaded over HTTP: what is served of each is what the package says itself.

Read here without Packhouse's own code: the archives with the standard library, the indexes with zstandard
and msgpack, and then once more with py-rattler.
"""

import hashlib
import io
import json
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgpack
import pytest
import zstandard

from tests.clients.rattler_client import JSON, SHARDS, WAYS, ZST, Rattler
from tests.live import LiveServer, running_server

Records = Mapping[str, dict[str, Any]]


def index_json(package: Path) -> dict[str, Any]:
    """`info/index.json` as it lies in the archive."""
    if package.suffix == ".conda":
        with zipfile.ZipFile(package) as archive:
            [member] = [name for name in archive.namelist() if name.startswith("info-")]
            packed = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(archive.read(member)))
        info = io.BytesIO(packed.read())
    else:
        info = io.BytesIO(package.read_bytes())
    with tarfile.open(fileobj=info) as files:
        found = files.extractfile("info/index.json")
        assert found is not None
        document: dict[str, Any] = json.load(found)
        return document


DATA = Path(__file__).parent.parent / "data" / "conda"
INDEX_JSON = {path: index_json(path) for path in sorted(DATA.glob("*/*"))}
PACKAGES = {f"{index['subdir']}/{path.name}": path for path, index in INDEX_JSON.items()}
"""By ckey: some of conda's own lie under another subdir than they name, such as `linux-fake`."""
SUBDIRS = sorted({index["subdir"] for index in INDEX_JSON.values()})
KNOWN_SUBDIRS = ("linux-64", "noarch", "osx-64", "win-64")
"""Those of them that rattler has heard of."""
SECTIONS = ("packages", "packages.conda")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """With every real package in one channel."""
    with running_server(tmp_path_factory.mktemp("real") / "live") as started:
        started.create_channel("real")
        token = started.log_in()
        for ckey, path in PACKAGES.items():
            answer = started.upload("real", path, token)
            assert answer.status_code == 201, f"{ckey}: {answer.text}"
        for subdir in SUBDIRS:
            filenames = [path.name for path, index in INDEX_JSON.items() if index["subdir"] == subdir]
            started.wait_until_indexed("real", subdir, *filenames)
        yield started


@pytest.fixture(scope="module")
def channel(server: LiveServer) -> str:
    return f"{server.url}/api/repo/real"


@pytest.fixture(scope="module")
def served(channel: str) -> Mapping[str, Records]:
    """Each way of reading -> ckey -> record as it stands there."""
    return {
        JSON: by_ckey(lambda subdir: repodata(channel, subdir)),
        ZST: by_ckey(lambda subdir: repodata_zst(channel, subdir)),
        SHARDS: by_ckey(lambda subdir: sharded(channel, subdir)),
    }


def get(url: str) -> bytes:
    answer = httpx.get(url, verify=False)
    assert answer.status_code == 200, f"{url}: {answer.status_code}"
    return answer.content


def by_ckey(read: Any) -> dict[str, dict[str, Any]]:
    return {f"{subdir}/{filename}": record for subdir in SUBDIRS for filename, record in read(subdir).items()}


def repodata(channel: str, subdir: str) -> Records:
    return in_sections(json.loads(get(f"{channel}/{subdir}/repodata.json")))


def repodata_zst(channel: str, subdir: str) -> Records:
    body = get(f"{channel}/{subdir}/repodata.json.zst")
    return in_sections(json.loads(zstandard.ZstdDecompressor().decompress(body)))


def sharded(channel: str, subdir: str) -> Records:
    """Through the shard index; what only shards hold (`run_exports`) is left out, digests are in hex again."""
    index = unpacked(get(f"{channel}/{subdir}/repodata_shards.msgpack.zst"))
    records: dict[str, dict[str, Any]] = {}
    for digest in index["shards"].values():
        body = get(f"{channel}/{subdir}/{index['info']['shards_base_url']}{digest.hex()}.msgpack.zst")
        assert hashlib.sha256(body).digest() == digest
        for filename, record in in_sections(unpacked(body)).items():
            assert "run_exports" in record
            digests = {name: record[name].hex() for name in ("md5", "sha256")}
            records[filename] = {**record, **digests}
            del records[filename]["run_exports"]
    return records


def unpacked(body: bytes) -> dict[str, Any]:
    document: dict[str, Any] = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(body))
    return document


def in_sections(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {filename: record for section in SECTIONS for filename, record in document[section].items()}


def file_facts(package: Path) -> dict[str, Any]:
    content = package.read_bytes()
    return {
        "md5": hashlib.md5(content).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }


@pytest.mark.parametrize("way", WAYS)
def test_every_record_is_the_index_json_plus_the_facts_of_the_file(
    served: Mapping[str, Records], way: str
) -> None:
    records = {ckey: dict(record) for ckey, record in served[way].items()}

    assert all(isinstance(record.pop("indexed_timestamp"), int) for record in records.values())
    assert records == {ckey: expected(path) for ckey, path in PACKAGES.items()}


def expected(package: Path) -> dict[str, Any]:
    """Nulls that rattler cannot read are left out, and that alone (`packhouse.formats.conda.records`)."""
    record = INDEX_JSON[package] | file_facts(package)
    unreadable = ("constrains", "features", "flags", "track_features", "noarch")
    return {name: value for name, value in record.items() if value is not None or name not in unreadable}


def test_all_ways_tell_the_same_time_of_indexing(served: Mapping[str, Records]) -> None:
    times = [{ckey: record["indexed_timestamp"] for ckey, record in served[way].items()} for way in WAYS]
    assert times[0] == times[1] == times[2]


def test_rattler_understands_the_same_in_every_way(channel: str, tmp_path: Path) -> None:
    names = sorted({index["name"] for index in INDEX_JSON.values()})

    shards, zst, plain = (understood(tmp_path, way, channel, names) for way in WAYS)

    assert plain.keys() == {
        ckey for ckey in PACKAGES if ckey.startswith(KNOWN_SUBDIRS) and not has_newer_form(ckey)
    }
    for record in shards.values():
        del record["run_exports"]  # which only shards hold, so that they need not be fetched apart
    assert shards == zst == plain


def understood(folder: Path, way: str, channel: str, names: list[str]) -> Records:
    records = Rattler(folder, way).records(channel, names, KNOWN_SUBDIRS)
    return {ckey: record for ckey, record in records.items() if not has_newer_form(ckey)}


def has_newer_form(ckey: str) -> bool:
    """Of one build in both forms, rattler leaves the older one out, but not by every way."""
    return ckey.removesuffix(".tar.bz2") + ".conda" in PACKAGES and ckey.endswith(".tar.bz2")


def test_every_file_is_served_as_it_was_sent(channel: str) -> None:
    for ckey, path in PACKAGES.items():
        assert get(f"{channel}/{ckey}") == path.read_bytes(), ckey


@pytest.mark.parametrize(
    ("specs", "platform"),
    [
        (["another_dependent", "dependent"], "noarch"),
        (["snappy", "small-executable"], "linux-64"),
        (["zlib 1.2.11.*", "versioned"], "osx-64"),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
@pytest.mark.parametrize("way", WAYS)
def test_real_packages_are_solved(
    channel: str, tmp_path: Path, specs: list[str], platform: str, way: str
) -> None:
    records = Rattler(tmp_path, way).solve(channel, *specs, platforms=[platform, "noarch"])

    found = defaultdict(list)
    for record in records:
        found[record.name.normalized].append(record)
    assert {spec.split()[0] for spec in specs} <= found.keys()
    assert all(len(of_name) == 1 for of_name in found.values())
