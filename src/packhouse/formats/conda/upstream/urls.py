"""Where an upstream keeps its files: addresses told by an index, resolved and checked."""

from urllib.parse import SplitResult, quote, urljoin, urlsplit

from packhouse.errors import Invalid

MAX_URL = 2_000

_REACHABLE_FROM = {
    "http": ("http", "https"),
    "https": ("http", "https"),
    "file": ("file", "http", "https"),
}


def folder_url(index_url: str, told: object) -> str:
    """The folder that an index calls `base_url` (CEP 15) or `shards_base_url` (CEP 16), absolute, ending in `/`.

    It is read relative to the index; nothing told, or an empty text, is the folder of the index itself.
    Raises Invalid for an address that no client could fetch files from, and for one that leads from the
    net into our own file system.
    """
    if told is not None and not isinstance(told, str):
        raise Invalid(f"{index_url}: its base URL is no text but {str(told)[:60]!r}")
    try:
        url = urljoin(index_url, told or ".")
        fault = _fault(url, urlsplit(index_url))
    except ValueError as error:
        raise Invalid(f"{index_url}: its base URL {str(told)[:200]!r} is no URL ({error})") from error
    if fault:
        raise Invalid(f"{index_url}: its base URL {str(told)[:200]!r} {fault}")
    return url if url.endswith("/") else url + "/"


def file_url(folder: str, filename: str) -> str:
    """The address of a package file. `+` and `!` stand as they are, which is how clients ask for them."""
    return folder + quote(filename, safe="+!")


def _fault(url: str, index: SplitResult) -> str | None:
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError for one that is no number
    if parts.scheme not in _REACHABLE_FROM.get(index.scheme, ()):
        return f"is a {parts.scheme or 'nameless'} address, which a {index.scheme} index must not lead to"
    if bool(parts.hostname) == (parts.scheme == "file"):
        return "names no server" if parts.scheme != "file" else "names another computer"
    if parts.query or parts.fragment or "@" in parts.netloc:
        return "has a user, a query or a fragment, so no file name can follow it"
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>'):
        return f"has more than {MAX_URL} characters, or some that no URL has"
    return None
