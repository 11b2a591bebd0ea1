"""Small real packages: four to publish, and a channel of four others for a mirror to find elsewhere."""

import asyncio
from pathlib import Path

from rattler.index import index_fs

from tests.builders import PREFIX_PLACEHOLDER, build_conda_package

PROGRAM = f"""#!/bin/sh
here={PREFIX_PLACEHOLDER}
echo "$(cat "$here/share/greeting/words.txt") $(cat "$here/share/frame/from.txt")"
"""
FORTUNE = f"""#!/bin/sh
cat {PREFIX_PLACEHOLDER}/share/sayings/saying.txt
"""


def build(folder: Path) -> None:
    """A program, what it needs, and two versions of the words that it says."""
    folder.mkdir(parents=True)
    build_conda_package(folder, "greeting", "1.0", files={"share/greeting/words.txt": b"Hello,"})
    build_conda_package(folder, "greeting", "2.0", files={"share/greeting/words.txt": b"Good morning,"})
    build_conda_package(
        folder,
        "frame",
        files={"share/frame/from.txt": b"from a package that came out of your own Packhouse."},
        extension=".tar.bz2",
    )
    build_conda_package(folder, "greet", depends=["greeting", "frame"], files={"bin/greet": PROGRAM.encode()})


def build_channel(folder: Path) -> None:
    """A channel in a folder, as `conda index` and its like make it; any web server can serve it."""
    noarch = folder / "noarch"
    noarch.mkdir(parents=True)
    saying = {"1.0": b"Keep what you need.\n", "2.0": b"What is in your own house, no storm takes away.\n"}
    for version, words in saying.items():
        build_conda_package(noarch, "sayings", version, files={"share/sayings/saying.txt": words})
    build_conda_package(noarch, "fortune", depends=["sayings >=1.0"], files={"bin/fortune": FORTUNE.encode()})
    build_conda_package(
        noarch, "limericks", files={"share/limericks.txt": b"There was a young packer of York\n"}
    )
    asyncio.run(index_fs(folder, write_zst=True, write_shards=True))
