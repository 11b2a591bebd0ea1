"""Files chosen by specifications, and the requests that copy, move or remove them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from packhouse_client.client import PackhouseClient
from packhouse_client.errors import ClientError, NotFound
from packhouse_client.listings import file_facts, list_files
from packhouse_client.specifications import Specification
from packhouse_client.suggestions import channel_suggested, did_you_mean

MOST_ITEMS = 10_000
"""The most that one request may name."""
MOST_NAMES = 1_000
"""More are not fetched for the sake of a hint."""
MOST_VERSIONS = 10
Item = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Selected:
    """What one specification means."""

    specification: Specification
    family: str
    total: int
    """How many files."""
    files: Sequence[Mapping[str, Any]]
    """Facts of each file; of a whole package only if they were asked for."""

    @property
    def items(self) -> list[Item]:
        """What a request names: the package as such where all of it is meant, so that nothing slips through."""
        if _is_whole(self.specification):
            return [{"name": str(self.specification.package), "family": self.family}]
        return [{"name": file["name"], "family": self.family, "ckey": file["ckey"]} for file in self.files]


def select(
    client: PackhouseClient, specification: Specification, family: str, *, with_files: bool
) -> Selected:
    """Raises NotFound, with names or versions that there are, where no file is meant."""
    only_count = _is_whole(specification) and not with_files
    with channel_suggested(client, specification.channel):
        listing = list_files(client, specification, family, limit=1 if only_count else None)
        found = [file_facts(file) for file in listing.items]
    if not found:
        raise NotFound(
            f"No file of channel '{specification.channel}' matches '{specification}' ({family})."
            f"{_hint(client, specification, family)}"
        )
    return Selected(specification, family, listing.total, [] if only_count else found)


def change(
    ask: Callable[[Sequence[Item]], None], items: Sequence[Item], on_done: Callable[[int], None]
) -> None:
    """Send as many requests as the items need; each is done as a whole, or not at all."""
    for start in range(0, len(items), MOST_ITEMS):
        try:
            ask(items[start : start + MOST_ITEMS])
        except ClientError as error:
            before = f" The first {start} of {len(items)} files were done before." if start else ""
            raise type(error)(f"{error.message}{before}", error.status) from error
        on_done(min(start + MOST_ITEMS, len(items)))


def request(
    client: PackhouseClient, action: str, channel: str, destination: str | None
) -> Callable[[Sequence[Item]], None]:
    """Asks the server for `copy` or `move`, which need a destination, or `remove`."""
    if destination is None:
        return partial(client.delete_artifacts, channel)
    transfer = client.copy_artifacts if action == "copy" else client.move_artifacts

    def ask(items: Sequence[Item]) -> None:
        with channel_suggested(client, destination):
            transfer(channel, items, destination)

    return ask


def _is_whole(specification: Specification) -> bool:
    return specification.is_whole_package and not specification.attributes


def _hint(client: PackhouseClient, specification: Specification, family: str) -> str:
    """The package's versions if it is there, else names like the one that was given."""
    name = str(specification.package)
    try:
        packages = _packages(client, specification.channel, family, name)
        for package in packages:
            if package["name"] == name:
                return _versions(package)
        return did_you_mean(name, [str(package["name"]) for package in packages])
    except ClientError:
        return ""


def _packages(client: PackhouseClient, channel: str, family: str, name: str) -> list[Mapping[str, Any]]:
    page = client.list_packages(channel, artifact_family=family, limit=MOST_NAMES)
    if page["total_count"] > MOST_NAMES:  # those with the same beginning must do
        page = client.list_packages(channel, artifact_family=family, limit=MOST_NAMES, q=name[:3])
    return list(page["items"])


def _versions(package: Mapping[str, Any]) -> str:
    """The newest: servers tell them first."""
    versions = [str(version) for version in package.get("available_versions") or ()]
    shown = ", ".join([*versions[:MOST_VERSIONS], *(["…"] if len(versions) > MOST_VERSIONS else [])])
    return f" Its versions are: {shown}." if shown else ""
