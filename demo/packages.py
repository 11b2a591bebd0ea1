"""Four small real packages: a program, what it needs, and two versions of the words that it says."""

from pathlib import Path

from tests.builders import PREFIX_PLACEHOLDER, build_conda_package

PROGRAM = f"""#!/bin/sh
here={PREFIX_PLACEHOLDER}
echo "$(cat "$here/share/greeting/words.txt") $(cat "$here/share/frame/from.txt")"
"""


def build(folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    return [
        build_conda_package(folder, "greeting", "1.0", files={"share/greeting/words.txt": b"Hello,"}),
        build_conda_package(folder, "greeting", "2.0", files={"share/greeting/words.txt": b"Good morning,"}),
        build_conda_package(
            folder,
            "frame",
            files={"share/frame/from.txt": b"from a package that came out of your own Packhouse."},
            extension=".tar.bz2",
        ),
        build_conda_package(
            folder,
            "greet",
            depends=["greeting", "frame"],
            files={"bin/greet": PROGRAM.encode()},
        ),
    ]
