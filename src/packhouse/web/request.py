"""What a request tells of where it came from, and what links in its answer begin with."""

from fastapi import Request

from packhouse.web.credentials import packhouse_of


def base_url(request: Request) -> str:
    """Scheme and host for links: the public address if it is set, else what the client asked for."""
    public = packhouse_of(request).settings.public_url
    return public.rstrip("/") if public else str(request.base_url).rstrip("/")


def client_address(request: Request) -> str | None:
    """The address at the other end; behind a proxy that is everybody's, and so says nothing about anybody."""
    is_proxied = packhouse_of(request).settings.public_url is not None
    return None if is_proxied or request.client is None else request.client.host


def asker(request: Request) -> str:
    """Whose wrong guesses are counted together. Behind a proxy that is what the proxy says it saw.

    Nothing is granted by it: who makes it up without a proxy only evades a limit.
    """
    if packhouse_of(request).settings.public_url is not None:
        nearest = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        if nearest:
            return nearest[:100]
    return "unknown" if request.client is None else request.client.host
