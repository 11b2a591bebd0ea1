"""Packages and files of channels."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from packhouse_client.commands.channel.request import Request
from packhouse_client.listings import Listing, file_facts, list_files, read_listing
from packhouse_client.session import Session
from packhouse_client.several import Several
from packhouse_client.specifications import check_channel, parse_specification
from packhouse_client.suggestions import channel_suggested
from packhouse_client.terminal.tables import Column, as_cell, table
from packhouse_client.wire.connection import Document

PACKAGE_COLUMNS = (
    Column("Name", 40),
    Column("# of files", 12),
    Column("# of download", 13),
    Column("License", 15),
)
FILE_COLUMNS = (
    Column("Path", 60),
    Column("CVE Score", 9, may_be_left_out=True),
    Column("CVE Status", 10, may_be_left_out=True),
    Column("Version", 10),
    Column("Platform", 10),
)
FILE_KEYS = ("ckey", "cve_score", "cve_status", "version", "platform")
UNKNOWN = "n/a"
RULE = "---------------"

Ask = Callable[[Session, Request, str], Listing]
Show = Callable[[Session, Request, str, Sequence[Document], int], None]
"""Print what was found for a channel or specification, and how many there are in all."""


def list_packages(session: Session, request: Request) -> None:
    _list_each(session, request, _packages, _print_packages)


def list_channel_files(session: Session, request: Request) -> None:
    if request.full_details and not request.as_json:
        _stream_facts(session, request)
    else:
        _list_each(session, request, _files, _print_files)


def _list_each(session: Session, request: Request, ask: Ask, show: Show) -> None:
    several = Several(session.output, is_one=len(request.channels) == 1)
    items: list[Document] = []
    total = 0
    for text in request.channels:
        with several.one():
            listing = ask(session, request, text)
            found = list(listing.items)
            items, total = items + found, total + listing.total
            if not request.as_json:
                show(session, request, text, found, listing.total)
    if request.as_json:
        session.output.print_json({"items": items, "total_count": total})
    several.end()


def _packages(session: Session, request: Request, path: str) -> Listing:
    query = {} if request.family is None else {"artifact_family": request.family}
    ask = partial(session.client.list_packages, check_channel(path), **query)
    with channel_suggested(session.client, path):
        return read_listing(ask, request.offset, request.page_size)


def _print_packages(
    session: Session, request: Request, path: str, packages: Sequence[Document], total: int
) -> None:
    session.output.print(f"\nTotal packages matching spec {path} found: {len(packages)}\n")
    facts = [_package_facts(package) for package in packages]
    if request.full_details:
        for known in facts:
            lines = (f"{label}: {as_cell(value)}" for label, value in known.items())
            session.output.print("\n".join((RULE, *lines)))
    else:
        rows = [list(known.values())[: len(PACKAGE_COLUMNS)] for known in facts]
        session.output.print(table(PACKAGE_COLUMNS, rows))
    request.say_what_follows(session.output, len(packages), total)


def _package_facts(package: Document) -> dict[str, object]:
    return {
        "name": package["name"],
        "# of files": package["file_count"],
        "# of downloads": package["download_count"],
        "license": package["metadata"].get("license"),
        "description": package["metadata"].get("description"),
    }


def _files(session: Session, request: Request, text: str) -> Listing:
    """What a specification means: the first 50, but with full details all, where no limit was given."""
    wanted = parse_specification(text)
    limit = request.limit if request.full_details else request.page_size
    with channel_suggested(session.client, wanted.channel):
        listing = list_files(session.client, wanted, request.family, request.offset, limit)
    if not listing.total:
        session.output.warn(f"No files matches were found for the provided spec: {text}")
    return listing


def _print_files(
    session: Session, request: Request, text: str, files: Sequence[Document], total: int
) -> None:
    if not total:
        return
    session.output.print(f"\nFound {total} files matching the specified spec {text}:\n")
    session.output.print(table(FILE_COLUMNS, [_file_row(file) for file in files]))
    request.say_what_follows(session.output, len(files), total)


def _file_row(file: Document) -> list[object]:
    facts = file_facts(file)
    return [UNKNOWN if facts[key] is None else facts[key] for key in FILE_KEYS]


def _stream_facts(session: Session, request: Request) -> None:
    several = Several(session.output, is_one=len(request.channels) == 1)
    session.output.print_json_list(_all_facts(session, request, several))
    several.end()


def _all_facts(session: Session, request: Request, several: Several) -> Iterator[Document]:
    for text in request.channels:
        with several.one():
            yield from map(file_facts, _files(session, request, text).items)
