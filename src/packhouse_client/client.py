"""The server's HTTP API as functions, and its errors as exceptions."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import quote

from packhouse_client.wire.addresses import channel_address, given
from packhouse_client.wire.connection import Document
from packhouse_client.wire.downloads import Downloads
from packhouse_client.wire.mirrors import Mirrors
from packhouse_client.wire.uploads import Progress, Uploads

__all__ = ["Action", "Document", "PackhouseClient", "Progress"]

Action = Literal["delete", "copy", "move"]
SHA256 = re.compile("[0-9a-f]{64}")


class PackhouseClient(Uploads, Downloads, Mirrors):
    """One server, asked as one user. Every method raises `ClientError`, or the class for what was refused."""

    def system(self) -> Document:
        """What the server is; its `service_name` is `repo`. Anybody may ask."""
        return self._ask("GET", "/system")

    # Account

    def log_in(self, username: str, password: str) -> str:
        """Open a session: its token is returned, and used by this client from now on."""
        answer = self._ask("POST", "/auth/login", json={"username": username, "password": password})
        self.token = str(answer["token"])
        return self.token

    def account(self) -> Document:
        return self._ask("GET", "/account")

    def token_info(self) -> Document:
        """`expires_at` of the token that is sent; None for one that never does."""
        return self._ask("GET", "/account/token-info")

    def list_scopes(self) -> list[str]:
        """What a token of this account may be narrowed to."""
        return list(self._ask("GET", "/account/scopes")["scopes"])

    def list_tokens(self) -> list[Document]:
        return _items(self._ask("GET", "/account/tokens"))

    def create_token(
        self,
        name: str,
        expires_at: str | None = None,
        scopes: Iterable[str] | None = None,
        resources: Iterable[Mapping[str, str]] | None = None,
    ) -> Document:
        """A new token for the account, whose secret is in `token` and is shown only here.

        `expires_at` is a date as YYYY-MM-DD. It is narrowed to `scopes` or to `resources`, not to both.
        """
        body: Document = {"name": name, "expires_at": expires_at}
        if scopes is not None:
            body["scopes"] = list(scopes)
        if resources is not None:
            body["resources"] = [dict(resource) for resource in resources]
        return self._ask("POST", "/account/tokens", json=given(body))

    def refresh_token(self, token_id: str) -> Document:
        """A new secret for a token, in `token`; the old one ends."""
        return self._ask("PUT", f"/account/tokens/{quote(token_id, safe='')}", json={})

    def delete_token(self, token_id: str) -> None:
        self._ask("DELETE", f"/account/tokens/{quote(token_id, safe='')}")

    # Channels

    def list_channels(self, offset: int | None = None, limit: int | None = None, **query: Any) -> Document:
        """Every channel that the account may see; `include_subchannels=True` adds those inside others."""
        return self._ask("GET", "/channels", params=given({"offset": offset, "limit": limit, **query}))

    def list_own_channels(
        self, offset: int | None = None, limit: int | None = None, **query: Any
    ) -> Document:
        """The account's own channels and those shared with it."""
        return self._ask(
            "GET", "/account/channels", params=given({"offset": offset, "limit": limit, **query})
        )

    def list_subchannels(self, channel: str, offset: int | None = None, limit: int | None = None) -> Document:
        query = given({"offset": offset, "limit": limit})
        return self._ask("GET", f"{channel_address(channel)}/subchannels", params=query)

    def create_channel(
        self, path: str, privacy: str | None = None, description: str | None = None
    ) -> Document:
        """Create `name`, or `name/subchannel` inside a channel that exists."""
        parent, _, child = path.rpartition("/")
        collection = f"{channel_address(parent)}/subchannels" if parent else "/channels"
        body = given({"name": child, "privacy": privacy, "description": description})
        return self._ask("POST", collection, json=body)

    def show_channel(self, path: str) -> Document:
        return self._ask("GET", channel_address(path))

    def update_channel(self, path: str, **changes: str) -> Document:
        """Change `privacy`, `indexing_behavior` or `description`; the answer says if anything `changed`."""
        return self._ask("PUT", channel_address(path), json=changes)

    def delete_channel(self, path: str) -> None:
        """Delete a channel with everything in it."""
        self._ask("DELETE", channel_address(path))

    def channel_history(self, path: str, offset: int | None = None, limit: int | None = None) -> Document:
        return self._ask(
            "GET", f"{channel_address(path)}/history", params=given({"offset": offset, "limit": limit})
        )

    def package_changes(self, path: str, offset: int | None = None, limit: int | None = None) -> Document:
        """Files that came to the channel or left it, the newest first."""
        query = given({"offset": offset, "limit": limit})
        return self._ask("GET", f"{channel_address(path)}/package-changes", params=query)

    # Artifacts

    def list_packages(self, path: str, **query: str | int) -> Document:
        """A page of a channel's packages; `query`: offset, limit, sort, q, artifact_family, platform."""
        return self._ask("GET", f"{channel_address(path)}/artifacts", params=query)

    def list_files(self, path: str, package: str, family: str = "conda", **query: str | int) -> Document:
        """A page of a package's files; `query` may hold offset and limit."""
        address = (
            f"{channel_address(path)}/artifacts/{quote(family, safe='')}/{quote(package, safe='')}/files"
        )
        return self._ask("GET", address, params=query)

    def list_channel_files(self, path: str, **query: str | int) -> Document:
        """A page of a channel's files; `query`: offset, limit, artifact_family, name, version, filename, platform.

        Only Packhouse has this address; another server answers NotFound.
        """
        return self._ask("GET", f"{channel_address(path)}/files", params=query)

    def search(self, **query: str | int) -> Document:
        """Packages of all channels that the account may see; `query` as in `list_packages`."""
        return self._ask("GET", "/artifacts", params=query)

    def kept_sha256(self, path: str, ckey: str) -> str | None:
        """The digest of a file that is served there, without its bytes; None if there is none, or no telling."""
        answer = self._exchange("HEAD", f"/repo/{path}/{quote(ckey)}", raises=False, allow_redirects=False)
        etag = answer.headers.get("ETag", "").strip('"')
        return etag if answer.status_code < 400 and SHA256.fullmatch(etag) else None

    def delete_artifacts(self, path: str, artifacts: Iterable[Mapping[str, str]]) -> None:
        """Delete files (`name`, `family`, `ckey`), or whole packages (without `ckey`): all or nothing."""
        self._change(path, "delete", artifacts)

    def copy_artifacts(self, path: str, artifacts: Iterable[Mapping[str, str]], target: str) -> None:
        self._change(path, "copy", artifacts, target)

    def move_artifacts(self, path: str, artifacts: Iterable[Mapping[str, str]], target: str) -> None:
        self._change(path, "move", artifacts, target)

    def _change(
        self, path: str, action: Action, artifacts: Iterable[Mapping[str, str]], target: str | None = None
    ) -> None:
        body: Document = {"action": action, "items": [dict(artifact) for artifact in artifacts]}
        if target is not None:
            channel, _, subchannel = target.partition("/")
            body |= given({"target_channel": channel, "target_subchannel": subchannel or None})
        self._ask("PUT", f"{channel_address(path)}/artifacts/bulk", json=body)


def _items(page: Document) -> list[Document]:
    return list(page["items"])
