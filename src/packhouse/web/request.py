"""What a request tells of where it came from, and what links in its answer begin with."""

from ipaddress import IPv4Address, IPv6Network, ip_address

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
    """Whose attempts are counted together. Behind a proxy that is what the proxy says it saw.

    Nothing is granted by it: who makes it up without a proxy only evades a limit.
    """
    if packhouse_of(request).settings.public_url is not None:
        # The last entry of the last line: some proxies (HAProxy) add a line to those that a client made up.
        lines = request.headers.getlist("x-forwarded-for")
        nearest = lines[-1].rpartition(",")[2].strip() if lines else ""
        if nearest:
            return network_of(nearest[:100])
    return "unknown" if request.client is None else network_of(request.client.host)


def network_of(address: str) -> str:
    """The address, or the /64 that one of IPv6 is in: whoever has one of these has all the others (RFC 6177)."""
    try:
        found = ip_address(address)
    except ValueError:  # a name, or an address with a port: told apart as it is written
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((int(found) >> 64 << 64, 64)))
