"""Finds a host's addresses, and lets pass only those that we may connect to."""

import asyncio
import socket
from contextlib import suppress

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from packhouse.remotes.rules import Rules, host_of

RESOLVE_SECONDS = 10
PROXIED_TARGET_SECONDS = 300
"""How long a name is not looked up again for a proxy, which has the last word on it anyway."""


class CheckedResolver(AbstractResolver):
    """Stands between a connection and the system's resolver; aiohttp connects to what it answers, as it is."""

    def __init__(self, rules: Rules, lookup: AbstractResolver, as_proxy: bool) -> None:
        self._rules = rules
        self._lookup = lookup
        self._as_proxy = as_proxy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises UpstreamRefused if one of the addresses is not allowed: such a name is not to be trusted."""
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await self._lookup.resolve(host, port, family)
        addresses = [result["host"] for result in found]
        self._rules.check_addresses(host.lower().rstrip("."), addresses, port, self._as_proxy)
        return found

    async def close(self) -> None:
        await self._lookup.close()


class ProxiedTargets:
    """What is asked through a proxy, whose own resolver we cannot see: where a name means something here,
    it must not mean something inside."""

    def __init__(self, rules: Rules, lookup: AbstractResolver) -> None:
        self._rules = rules
        self._resolver = CheckedResolver(rules, lookup, as_proxy=False)
        self._known_until: dict[str, float] = {}

    async def check(self, url: URL) -> None:
        """Raises UpstreamRefused; a name that has no address here is left to the proxy."""
        host, now = host_of(url), asyncio.get_running_loop().time()
        if self._rules.allows_private or self._known_until.get(host, now) > now:
            return
        with suppress(OSError):  # TimeoutError is one of these
            await self._resolver.resolve(host, url.port or 0)
        self._known_until[host] = now + PROXIED_TARGET_SECONDS
