"""Finds plugins by the entry points of all distributions there are."""

import sys
from collections.abc import Iterable
from importlib.metadata import distributions

import pluggy

from conda.plugins.types import CondaSubcommand

NAME = "conda"
hookspec = pluggy.HookspecMarker(NAME)


class Specifications:
    @hookspec
    def conda_subcommands(self) -> Iterable[CondaSubcommand]: ...


def load_plugins() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(NAME)
    manager.add_hookspecs(Specifications)
    for distribution in distributions():
        for entry_point in distribution.entry_points:
            if entry_point.group != NAME:
                continue
            try:
                plugin = entry_point.load()
            except Exception as error:  # conda warns as well, and goes on without it
                print(f"Error while loading conda entry point: {entry_point.name} ({error})", file=sys.stderr)
                continue
            if not manager.has_plugin(plugin.__name__):
                manager.register(plugin, plugin.__name__)
    return manager


def subcommands() -> dict[str, CondaSubcommand]:
    found = load_plugins().hook.conda_subcommands()
    return {one.name: one for answer in found for one in answer}
