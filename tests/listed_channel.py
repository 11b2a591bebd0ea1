"""A conda channel in a folder, as somebody else's server would have it: sharded, compressed or plain.

Its documents are written here by our reading of the CEPs (16, 48), without any code of the product.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgpack
import zstandard

SHARDS, ZST, PLAIN = "shards", "zst", "json"
WAYS = (SHARDS, ZST, PLAIN)
"""How an upstream may serve its index."""

SHARD_INDEX = "repodata_shards.msgpack.zst"
DATA = Path(__file__).parent / "data"

Record = dict[str, Any]


class ListedChannel:
    """Records per subdir and file name; `write` makes documents of them, in one way only."""

    def __init__(self, folder: Path, way: str = SHARDS) -> None:
        self.folder, self.way = folder, way
        self.records: dict[str, dict[str, Record]] = {"noarch": {}, "linux-64": {}}
        self.v3: dict[str, dict[str, dict[str, Record]]] = {}
        self.removed: dict[str, list[str]] = {}
        self.signatures: dict[str, dict[str, Any]] = {}
        self.base_url: str | None = None

    # --- what is in it

    def add(self, package: Path, subdir: str = "noarch", **facts: Any) -> str:
        """A package file, listed with its true digests; answer its ckey."""
        return self.put(package.name, subdir, package.read_bytes(), **facts)

    def put(self, filename: str, subdir: str = "noarch", content: bytes | None = None, **facts: Any) -> str:
        """A file of any bytes, else of some made up from its name; answer its ckey."""
        content = made_up(filename) if content is None else content
        (self.folder / subdir).mkdir(parents=True, exist_ok=True)
        (self.folder / subdir / filename).write_bytes(content)
        self.list(filename, subdir, **digests_of(content), **facts)
        return f"{subdir}/{filename}"

    def list(self, filename: str, subdir: str = "noarch", **facts: Any) -> None:
        """Only the record; what is not told stands in the file name."""
        stem = filename.removesuffix(".conda").removesuffix(".tar.bz2")
        name, version, build = stem.rsplit("-", 2)
        own = {"name": name, "version": version, "build": build, "build_number": 0, "depends": []}
        self.records.setdefault(subdir, {})[filename] = {**own, "subdir": subdir, **facts}

    def list_v3(self, filename: str, subdir: str = "noarch") -> None:
        """Move a record to where only newer clients look."""
        kind = "conda" if filename.endswith(".conda") else "tar.bz2"
        stem = filename.removesuffix(f".{kind}")
        record = self.records[subdir].pop(filename)
        self.v3.setdefault(subdir, {}).setdefault(kind, {})[stem] = record

    def give_bytes(self) -> None:
        """Make up the bytes of each file, and say so in its record."""
        for subdir, records in self.records.items():
            for filename, record in records.items():
                content = made_up(filename)
                (self.folder / subdir).mkdir(parents=True, exist_ok=True)
                (self.folder / subdir / filename).write_bytes(content)
                record.update(digests_of(content))

    def ckeys(self, *names: str) -> set[str]:
        """Of these packages, or of all."""
        return {
            f"{subdir}/{filename}"
            for subdir, records in self.records.items()
            for filename, record in records.items()
            if not names or record["name"] in names
        }

    # --- its documents

    def write(self) -> None:
        for subdir in self.records:
            (self.folder / subdir).mkdir(parents=True, exist_ok=True)
            document = self.document(subdir)
            if self.way == SHARDS:
                self._write_shards(subdir, document)
            elif self.way == ZST:
                _write(self.folder / subdir / "repodata.json.zst", zstandard.compress(_json(document)))
            else:
                _write(self.folder / subdir / "repodata.json", _json(document))

    def document(self, subdir: str) -> dict[str, Any]:
        records = self.records[subdir]
        info = {"subdir": subdir} if self.base_url is None else {"subdir": subdir, "base_url": self.base_url}
        old, new = _split(records)
        parts = {"v3": self.v3.get(subdir), "signatures": self.signatures.get(subdir)}
        return {
            "info": info,
            "packages": old,
            "packages.conda": new,
            "removed": self.removed.get(subdir, []),
            **{key: value for key, value in parts.items() if value},
        }

    def _write_shards(self, subdir: str, document: Mapping[str, Any]) -> None:
        digests = {}
        for name in sorted(_names(document)):
            body = _packed(_of_name(document, name))
            digests[name] = hashlib.sha256(body).digest()
            _write(self.folder / subdir / "shards" / f"{digests[name].hex()}.msgpack.zst", body)
        info = {"base_url": "", "shards_base_url": "./shards/", **document["info"]}
        _write(self.folder / subdir / SHARD_INDEX, _packed({"info": info, "version": 1, "shards": digests}))

    def shard_path(self, name: str, subdir: str = "noarch") -> str:
        """Where the shard of a name is asked for."""
        body = (self.folder / subdir / SHARD_INDEX).read_bytes()
        index = msgpack.unpackb(zstandard.ZstdDecompressor().decompressobj().decompress(body))
        return f"/{subdir}/shards/{index['shards'][name].hex()}.msgpack.zst"

    def index_path(self, subdir: str = "noarch") -> str:
        """Where the index of a subdir is asked for."""
        return (
            f"/{subdir}/" + {SHARDS: SHARD_INDEX, ZST: "repodata.json.zst", PLAIN: "repodata.json"}[self.way]
        )


def real_channel(folder: Path, way: str = SHARDS) -> ListedChannel:
    """322 records of pkgs/main and 34 of an environment of conda-forge, without any files."""
    channel = ListedChannel(folder, way)
    for document in (_data("main_noarch"), _data("conda-forge-numpy_linux-64")):
        for filename, record in {**document["packages"], **document.get("packages.conda", {})}.items():
            channel.records[record["subdir"]][filename] = record
            if filename in document.get("signatures", {}):
                signed = channel.signatures.setdefault(record["subdir"], {})
                signed[filename] = document["signatures"][filename]
    return channel


def environment_channel(folder: Path, way: str = SHARDS) -> ListedChannel:
    """The 34 records of an environment with numpy, and files of bytes that are made up."""
    channel = real_channel(folder, way)
    channel.records["noarch"] = {
        filename: record
        for filename, record in channel.records["noarch"].items()
        if record["name"] in ("pip", "setuptools", "tzdata", "wheel")
    }
    channel.give_bytes()
    return channel


def wheel_records() -> dict[str, Record]:
    """The wheels of a real channel of repodata v3, by the keys that they have there."""
    wheels: dict[str, Record] = _data("with-wheels_v3_noarch")["v3"]["whl"]
    return wheels


def real_packages(subdir: str = "noarch") -> list[Path]:
    return sorted((DATA / "conda" / subdir).iterdir())


def as_served(record: Mapping[str, Any], subdir: str) -> Record:
    """What clients are to see of an upstream's record: all of it but what is not for it to say.

    Nulls and empty texts that some client chokes on are left out.
    """
    not_said = {
        "channel",
        "fn",
        "url",
        "run_exports",
        "indexed_timestamp",
        "legacy_bz2_md5",
        "legacy_bz2_size",
    }
    served = {key: value for key, value in record.items() if key not in not_said}
    for key in ("constrains", "features", "track_features"):
        if served.get(key, "") is None:
            del served[key]
    if not served.get("noarch"):
        served.pop("noarch", None)
    return {**served, "depends": record.get("depends") or [], "subdir": subdir}


def made_up(filename: str) -> bytes:
    return f"The bytes of {filename}.\n".encode() * 100


def digests_of(content: bytes) -> Record:
    return {
        "md5": hashlib.md5(content).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }


def _split(records: Mapping[str, Record]) -> tuple[dict[str, Record], dict[str, Record]]:
    old = {filename: record for filename, record in records.items() if filename.endswith(".tar.bz2")}
    return old, {filename: record for filename, record in records.items() if filename not in old}


def _names(document: Mapping[str, Any]) -> Iterable[str]:
    sections = [document["packages"], document["packages.conda"], *document.get("v3", {}).values()]
    return {record["name"] for section in sections for record in section.values()}


def _of_name(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The shard of one name, digests as bytes."""

    def chosen(section: Mapping[str, Record]) -> dict[str, Record]:
        return {key: _raw(record) for key, record in section.items() if record["name"] == name}

    shard: dict[str, Any] = {key: chosen(document[key]) for key in ("packages", "packages.conda")}
    if "v3" in document:
        shard["v3"] = {kind: chosen(section) for kind, section in document["v3"].items()}
    shard["removed"] = [one for one in document["removed"] if one.rsplit("-", 2)[0] == name]
    return shard


def _raw(record: Record) -> Record:
    return {**record, **{key: bytes.fromhex(record[key]) for key in ("md5", "sha256") if record.get(key)}}


def _packed(document: object) -> bytes:
    return zstandard.compress(msgpack.packb(document))


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _data(name: str) -> dict[str, Any]:
    packed = (DATA / "repodata" / f"{name}.json.zst").read_bytes()
    found: dict[str, Any] = json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(packed))
    return found


def _write(path: Path, body: bytes) -> None:
    """A document that does not change keeps its time, as it does on a real server."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != body:
        path.write_bytes(body)
