"""`search`: packages of all channels that the caller may see."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.options import DEFAULT_LIMIT, PLATFORMS, Family, Json, Limit, Offset
from packhouse_client.session import Session, session_of
from packhouse_client.terminal.tables import Column, table

COLUMNS = (
    Column("Channel", 30),
    Column("Name", 40),
    Column("Version", 8, align_right=True),
    Column("Family", 12, may_be_left_out=True),
    Column("Build", 10, may_be_left_out=True),
    Column("License", 15, may_be_left_out=True),
    Column("Platforms", 15),
)

app = new_app()


@app.command()
def search(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A part of the names to find.")],
    family: Family = None,
    platform: Annotated[
        str | None,
        typer.Option(
            "-p",
            "--platform",
            metavar="PLATFORM",
            help="Only packages that have files for this platform, as linux-64, osx-arm64 or noarch.",
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "-s",
            "--sort",
            metavar="FIELD",
            help="Order by name, family, version, download_count, file_count or updated_at; "
            "a '-' before it turns the order round: --sort=-download_count.",
        ),
    ] = "download_count",
    offset: Offset = 0,
    limit: Limit = DEFAULT_LIMIT,
    package_type: Annotated[
        str | None,
        typer.Option("-t", "--package-type", metavar="TYPE", help="Not used any more; --family is."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find packages by a part of their name, in all channels that you may see.

    Examples:

    \b
        conda repo search numpy
        conda repo search --family conda --platform linux-64 --sort=-download_count torch
    """
    session = session_of(context)
    if package_type is not None:
        session.output.warn(
            f"--package-type {package_type} changes nothing. Use --family to narrow the search."
        )
    narrowed = {"artifact_family": family, "platform": platform}
    query = {key: value for key, value in narrowed.items() if value is not None}
    page = session.client.search(q=name, sort=sort, offset=offset, limit=limit, **query)
    if as_json:
        session.output.print_json(page)
    else:
        _show(session, page, offset)
    if not page["total_count"] and platform is not None:
        _doubt(session, platform)


def _show(session: Session, page: Mapping[str, Any], offset: int) -> None:
    packages, total = page["items"], page["total_count"]
    if not total:
        session.output.print("No packages found")
        return
    session.output.print(table(COLUMNS, [_row(package) for package in packages]))
    session.output.print(f"\n{total} packages found.")
    # Both numbers are what existing scripts know them to be; the first is not where the interval begins.
    session.output.print(f"Visualizing {len(packages)}-{len(packages) + offset} interval.")


def _row(package: Mapping[str, Any]) -> tuple[object, ...]:
    metadata = package["metadata"]
    place = (package["channel"], package.get("subchannel"))
    return (
        "/".join(part for part in place if part),
        package["name"],
        metadata.get("version"),
        package["family"],
        metadata.get("build_number"),
        metadata.get("license"),
        ", ".join(metadata.get("subdirs") or ()),
    )


def _doubt(session: Session, platform: str) -> None:
    """No error: channels may hold platforms that are newer than this client."""
    if platform in PLATFORMS:
        return
    from packhouse_client.suggestions import did_you_mean

    hint = did_you_mean(platform, PLATFORMS)
    session.output.warn(f"'{platform}' is none of the usual platforms.{hint}")
