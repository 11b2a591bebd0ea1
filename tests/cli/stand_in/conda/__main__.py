"""`conda NAME ...`: gives what stands behind the name of a plugin's subcommand to it, and exits as it says."""

import sys

from conda.plugins.manager import subcommands


def main() -> int | None:
    name, *words = sys.argv[1:] or ["--help"]
    known = subcommands()
    if name not in known:
        for one in known.values():
            print(f"{one.name}  {one.summary}")
        return 0
    return known[name].action(tuple(words))


if __name__ == "__main__":
    sys.exit(main())
