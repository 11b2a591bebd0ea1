"""Listings that a server sends in pages, read as one; and the files that a specification means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

from packhouse_client.client import Document, PackhouseClient
from packhouse_client.errors import ClientError
from packhouse_client.specifications import Specification

PAGE_SIZE = 1_000
NO_SUCH_ADDRESS = (404, 405)


class Page(Protocol):
    """Asks for `limit` items after the first `offset`: what the client's listing methods do."""

    def __call__(self, *, offset: int, limit: int) -> Document: ...


@dataclass(frozen=True, slots=True)
class Listing:
    """The wanted part of what a server lists; pages are fetched as `items` is read, the first one at once."""

    total: int
    """How many there are, wanted or not."""
    items: Iterator[Document]


def read_listing(page: Page, offset: int = 0, limit: int | None = None) -> Listing:
    """`limit` items of a listing after the first `offset`, or all that follow."""
    size = PAGE_SIZE if limit is None else min(limit, PAGE_SIZE)
    first = page(offset=offset, limit=size)
    total = int(first.get("total_count", offset + len(first["items"])))
    end = total if limit is None else min(total, offset + limit)
    return Listing(total, islice(_items(page, first, offset, end), limit))


def _items(page: Page, first: Document, offset: int, end: int) -> Iterator[Document]:
    found = first["items"]
    while found:
        yield from found
        offset += len(found)
        if offset >= end:
            return
        found = page(offset=offset, limit=min(PAGE_SIZE, end - offset))["items"]


def list_files(
    client: PackhouseClient,
    wanted: Specification,
    family: str | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> Listing:
    """The files that a specification means: of a whole channel, a package, a version, or one file."""
    query = _given(
        artifact_family=family,
        name=wanted.package,
        version=wanted.version,
        filename=wanted.filename,
        platform=wanted.attributes.get("subdir"),
    )
    try:
        return read_listing(partial(client.list_channel_files, wanted.channel, **query), offset, limit)
    except ClientError as error:
        if error.status not in NO_SUCH_ADDRESS:
            raise
    return _files_by_package(client, wanted, family, offset, limit)


def _files_by_package(
    client: PackhouseClient, wanted: Specification, family: str | None, offset: int, limit: int | None
) -> Listing:
    """As a server that lists files by package only is asked: package after package."""
    packages = _packages(client, wanted, family)
    files = (file for package in packages for file in _files_of(client, wanted.channel, package))
    meant = (file for file in files if _is_meant(file_facts(file), wanted))
    if wanted.is_whole_package and not wanted.attributes:
        total = sum(package["file_count"] for package in packages)
    else:
        chosen = list(meant)
        total, meant = len(chosen), (file for file in chosen)
    return Listing(total, islice(meant, offset, None if limit is None else offset + limit))


def _packages(client: PackhouseClient, wanted: Specification, family: str | None) -> list[Document]:
    """Small objects, one a package: those of a whole channel fit into memory."""
    query = _given(artifact_family=family, q=wanted.package)
    listed = read_listing(partial(client.list_packages, wanted.channel, **query))
    return [
        package
        for package in listed.items
        if wanted.package in (None, package["name"]) and family in (None, package["family"])
    ]


def _files_of(client: PackhouseClient, channel: str, package: Mapping[str, Any]) -> Iterator[Document]:
    return read_listing(partial(client.list_files, channel, package["name"], package["family"])).items


def _given(**query: str | None) -> dict[str, str]:
    return {name: value for name, value in query.items() if value is not None}


def _is_meant(facts: Mapping[str, Any], wanted: Specification) -> bool:
    return (
        wanted.version in (None, facts["version"])
        and wanted.filename in (None, facts["fn"])
        and wanted.attributes.get("subdir") in (None, facts["platform"])
    )


def file_facts(file: Mapping[str, Any]) -> dict[str, Any]:
    """What people want to know of a file object, whatever family it is of; None is unknown."""
    metadata = file["metadata"]
    record = metadata.get("repodata_record.json") or metadata.get("index.json") or metadata
    platforms = record.get("subdir") or ", ".join(record.get("platforms") or ())
    return {
        "ckey": file["ckey"],
        "cve_score": file.get("cve_score"),
        "cve_status": file.get("cve_status"),
        "fn": record.get("fn") or file["ckey"].rpartition("/")[2],
        "name": file["name"],
        "platform": platforms or None,
        "version": record.get("version") or record.get("Version"),
    }
