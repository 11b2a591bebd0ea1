"""What links in an answer begin with."""

from fastapi import Request

from packhouse.web.credentials import packhouse_of


def base_url(request: Request) -> str:
    """Scheme and host for links: the public address if it is set, else what the client asked for."""
    public = packhouse_of(request).settings.public_url
    return public.rstrip("/") if public else str(request.base_url).rstrip("/")
