"""Which addresses are anybody's, and which lie inside: private, loopback, link-local, and what hides one of them."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_ALSO_INSIDE = (
    IPv4Network("100.64.0.0/10"),  # RFC 6598: carriers', and clouds' metadata
    IPv4Network("192.0.0.0/24"),  # RFC 6890, in it the metadata of one cloud
    IPv4Network("192.88.99.0/24"),  # RFC 7526: the relays of 6to4
    IPv4Network("168.63.129.16/32"),  # Azure's host, with a public address
    IPv6Network("fec0::/10"),  # RFC 3879: site-local
    IPv6Network("64:ff9b:1::/48"),  # RFC 8215: NAT64 of a network's own
    IPv6Network("5f00::/16"),  # RFC 9602: segment routing
    IPv6Network("2001::/23"),  # RFC 2928: Teredo, ORCHID and other protocols' own
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 2.5.5.1
_LOCAL_NAMES = ("localhost", "localdomain", "local", "internal", "home.arpa")
_LOCAL_ALIASES = ("ip6-localhost", "ip6-loopback", "metadata")


def is_public(address: Address) -> bool:
    """Whether the address, and the one that it may embed, belongs to the public internet."""
    if isinstance(address, IPv6Address) and (inner := _embedded(address)) is not None:
        return is_public(inner)
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _ALSO_INSIDE)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if (inner := address.ipv4_mapped or address.sixtofour) is not None:
        return inner
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def literal_address(host: str) -> Address | None:
    """The address that `host` writes out, in whatever form the C library understands; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433, 0177.0.0.1
    except OSError:
        return None


def is_local_name(host: str) -> bool:
    """Whether the name means the machine itself, or something that only its own network knows (RFC 6761, 8375)."""
    return host in _LOCAL_ALIASES or any(host == name or host.endswith(f".{name}") for name in _LOCAL_NAMES)
