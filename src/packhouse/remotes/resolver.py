"""Finds a host's addresses, and lets pass only those that we may connect to."""

import asyncio
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from packhouse.remotes.rules import Rules

RESOLVE_SECONDS = 10


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
