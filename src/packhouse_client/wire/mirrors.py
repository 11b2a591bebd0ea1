"""The part of the API that is about mirrors: what a channel takes from another server."""

from collections.abc import Mapping
from typing import Any, Literal

from packhouse_client.wire.addresses import channel_address, given, mirror_address
from packhouse_client.wire.connection import Connection, Document

Contents = Literal["keep", "drop"]
"""What becomes of the files that a deleted mirror brought."""


class Mirrors(Connection):
    """The methods of `PackhouseClient` about mirrors; `mirror` is an id or a name."""

    def list_mirrors(self, path: str) -> list[Document]:
        """Those of a channel. Their names have a prefix, as `mirror_name`; see `list_all_mirrors`."""
        return list(self._ask("GET", f"{channel_address(path)}/mirrors")["items"])

    def list_all_mirrors(self, offset: int | None = None, limit: int | None = None) -> Document:
        """A page of all that the account may see: `name`, `channel`, perhaps `subchannel`, and so on."""
        return self._ask("GET", "/mirrors", params=given({"offset": offset, "limit": limit}))

    def show_mirror(self, path: str, mirror: str) -> Document:
        return self._ask("GET", mirror_address(path, mirror))

    def create_mirror(self, path: str, specification: Mapping[str, Any]) -> Document:
        """`specification`: mirror_name, source_root, mirror_mode, mirror_type, cron, filters, run_now, and more."""
        return self._ask("POST", f"{channel_address(path)}/mirrors", json=dict(specification))

    def update_mirror(self, path: str, mirror: str, specification: Mapping[str, Any]) -> Document:
        """Replace all that is said of a mirror; what it brought is replaced in its next run."""
        return self._ask("PUT", mirror_address(path, mirror), json=dict(specification))

    def preview_mirror(
        self, path: str, specification: Mapping[str, Any], mirror: str | None = None
    ) -> Document:
        """What a new mirror, or a changed one, would bring; nothing is kept or fetched but the index."""
        method, address = ("POST", f"{channel_address(path)}/mirrors")
        if mirror is not None:
            method, address = ("PUT", mirror_address(path, mirror))
        return self._ask(method, address, params={"dry_run": "true"}, json=dict(specification))

    def delete_mirror(self, path: str, mirror: str, contents: Contents = "keep") -> None:
        self._ask("DELETE", mirror_address(path, mirror), params={"contents": contents})

    def stop_mirror(self, path: str, mirror: str) -> Document:
        """Stop its run. Raises Conflict if none is pending or running."""
        return self._ask("POST", f"{mirror_address(path, mirror)}/stop_mirror_sync")

    def restart_mirror(self, path: str, mirror: str) -> Document:
        """Run it now."""
        return self._ask("POST", f"{mirror_address(path, mirror)}/restart")

    def list_mirror_runs(
        self, path: str, mirror: str, offset: int | None = None, limit: int | None = None
    ) -> Document:
        """A page of its runs, the latest first."""
        query = given({"offset": offset, "limit": limit})
        return self._ask("GET", f"{mirror_address(path, mirror)}/runs", params=query)

    def list_mirror_changes(self, path: str, mirror: str, run_id: str, **query: str | int) -> Document:
        """A page of what a run changed; `query`: offset, limit, action."""
        return self._ask("GET", f"{mirror_address(path, mirror)}/runs/{run_id}/changes", params=query)
