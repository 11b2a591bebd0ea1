"""Options that several commands share, each written once so that it is spelled and explained alike."""

from typing import Annotated

import typer

FAMILIES = ("conda", "python", "cran", "anaconda_project", "anaconda_env", "notebook", "gra")
PLATFORMS = (
    *(
        "linux-32",
        "linux-64",
        "linux-aarch64",
        "linux-armv6l",
        "linux-armv7l",
        "linux-ppc64",
        "linux-ppc64le",
    ),
    *("linux-s390x", "osx-64", "osx-arm64", "win-32", "win-64", "zos-z", "noarch"),
)


def check_family(family: str | None) -> str | None:
    if family is not None and family not in FAMILIES:
        raise typer.BadParameter(f"'{family}' is no family. Families are: {', '.join(FAMILIES)}.")
    return family


Family = Annotated[
    str | None,
    typer.Option(
        "-f",
        "--family",
        metavar="FAMILY",
        callback=check_family,
        help=f"Only this family: {', '.join(FAMILIES)}. All by default.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask; the answer is yes.")]
Offset = Annotated[
    int,
    typer.Option("-o", "--offset", min=0, metavar="NUMBER", help="How many to leave out at the beginning."),
]
Limit = Annotated[
    int, typer.Option("-l", "--limit", min=1, metavar="NUMBER", help="How many to show at most.")
]
DEFAULT_LIMIT = 50
