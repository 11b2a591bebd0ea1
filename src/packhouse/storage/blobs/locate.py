"""Which store a URL and the operator's options mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from packhouse.errors import Invalid
from packhouse.storage.blobs.folder import FolderBlobs
from packhouse.storage.blobs.store import Blobs

# obstore takes these apart from the store's own, and panics when the two are mixed.
_HTTP_OPTIONS = frozenset(
    {
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "proxy_url",
        "root_certificate",
        "timeout",
    }
)


def open_blobs(url: str, options: Mapping[str, str]) -> Blobs:
    """The store at `/path`, `file:///path`, `s3://bucket/prefix`, `gs://…` or `az://…`.

    `options` are obstore's, by name: `endpoint`, `region`, `access_key_id`, `secret_access_key`,
    `virtual_hosted_style_request`, `allow_http`, `timeout`…; what is not given is taken from the
    environment that the store's own tools read (`AWS_*`…). Raises Invalid when one is not understood.
    """
    address = urlsplit(url)
    if url.startswith("/"):
        return FolderBlobs(Path(url))
    if address.scheme == "file" and not address.netloc:
        return FolderBlobs(Path(unquote(address.path)))
    if address.scheme in {"s3", "gs", "az"}:
        return Blobs(_object_store(url, options))
    raise Invalid(
        f"The blob store {url!r} is not understood. Give a folder (/path) or s3://bucket/prefix, "
        "gs://bucket/prefix or az://account/container/prefix."
    )


def _object_store(url: str, options: Mapping[str, str]) -> ObjectStore:
    # The time limit is that of a whole download, and a slow client makes it slow.
    http: Any = {"timeout": "1h"} | {name: value for name, value in options.items() if name in _HTTP_OPTIONS}
    own: Any = {name: value for name, value in options.items() if name not in _HTTP_OPTIONS}
    try:
        return from_url(url, config=own, client_options=http)
    except (BaseError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise Invalid(f"The blob store {url!r} cannot be used: {reason}") from error
