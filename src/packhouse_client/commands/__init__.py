"""Every command, on one page: its name, and what it is for; the module of that name has the rest.

Modules are imported when their command is asked for, so that `--help` and `--version` answer at once.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer

COMMANDS: Mapping[str, str] = {
    "auth": "List, create and remove tokens.",
    "channel": "List, show, create, change and remove channels, and list what is in them.",
    "config": "Show and change the configuration: which servers there are, and how to reach them.",
    "copy": "Copy packages or files to another channel.",
    "download": "Download a notebook.",
    "login": "Log in with user name and password.",
    "logout": "Forget the log-in.",
    "mirror": "Create, change, watch and remove mirrors: what channels take from other servers.",
    "move": "Move packages or files to another channel.",
    "remove": "Remove packages or files from a channel.",
    "search": "Find packages in all channels that you may see.",
    "upload": "Publish packages and other files in a channel.",
    "whoami": "Show who is logged in.",
    "wizard": "Set up conda's .condarc for this server, or restore it.",
}


class Commands(MutableMapping[str, Any]):
    """The commands by name, each imported when it is first asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            if name not in COMMANDS:
                raise KeyError(name)
            module = import_module(f"packhouse_client.commands.{name}")
            self._loaded[name] = typer.main.get_command(module.app)
            self._loaded[name].name = name
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*COMMANDS, *self._loaded]))

    def __len__(self) -> int:
        return len({*COMMANDS, *self._loaded})

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]


def new_app(**options: Any) -> typer.Typer:
    """The app of one command's module: plain help that fits a screen, no traceback boxes."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )
