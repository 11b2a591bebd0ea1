"""Where an upstream channel is looked for: its subdirs, and the documents of each in order of preference."""

from collections.abc import Sequence

NOARCH = "noarch"

# Every platform that conda itself knows. A channel may have others, which a mirror then has to name.
PLATFORMS = (
    "emscripten-wasm32",
    "freebsd-64",
    "linux-32",
    "linux-64",
    "linux-aarch64",
    "linux-armv6l",
    "linux-armv7l",
    "linux-ppc64",
    "linux-ppc64le",
    "linux-riscv32",
    "linux-riscv64",
    "linux-s390x",
    "osx-64",
    "osx-arm64",
    "wasi-wasm32",
    "win-32",
    "win-64",
    "win-arm64",
    "zos-z",
)

SHARD_INDEX = "repodata_shards.msgpack.zst"
# The first that is there is read. A subdir with none of them is not there.
INDEXES = (SHARD_INDEX, "repodata.json.zst", "repodata.json")
RUN_EXPORTS = ("run_exports.json.zst", "run_exports.json")


def subdirs_to_ask(chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """Those chosen, else all; `noarch` first in any case, as every client reads it beside its platform."""
    return tuple(dict.fromkeys((NOARCH, *(chosen or PLATFORMS))))
