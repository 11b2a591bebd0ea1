"""What every form has in common: it has to come from our own page, and a refusal is said in the page."""

from urllib.parse import urlsplit

from fastapi import Request

from packhouse.errors import Forbidden, PackhouseError, Unauthenticated
from packhouse.web.errors import headers_of, status_of
from packhouse.web.request import base_url


def require_own_form(request: Request) -> None:
    """Raises Forbidden for a form that another site sent.

    No cookie lends it anybody's rights; but the password of a person who is lured should not be tried from
    there either. Browsers of today say where a form is from (`Sec-Fetch-Site`, over TLS), older ones `Origin`.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_own = site in ("same-origin", "none") if site else origin is None or _is_ours(request, origin)
    if not is_own:
        raise Forbidden("This form was sent by another site. Open the page from the address in the terminal.")


def _is_ours(request: Request, origin: str) -> bool:
    ours = (base_url(request), str(request.base_url))
    return origin in {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, ours)}


def page_status(error: PackhouseError) -> int:
    """401 would make the browser ask for a password in a window of its own."""
    return 403 if isinstance(error, Unauthenticated) else status_of(error)


def page_headers(error: PackhouseError) -> dict[str, str]:
    return {} if isinstance(error, Unauthenticated) else headers_of(error)
