"""Which function does what an option of the command `channel` asks for."""

from collections.abc import Callable, Mapping

from packhouse_client.commands.channel.changes import (
    create_channel,
    remove_channel,
    set_behaviour,
    update_channel,
)
from packhouse_client.commands.channel.contents import list_channel_files, list_packages
from packhouse_client.commands.channel.overview import list_channels, show_channel
from packhouse_client.commands.channel.request import Request
from packhouse_client.commands.channel.trail import show_history, show_package_changes
from packhouse_client.session import Session

ACTIONS: Mapping[str, Callable[[Session, Request], None]] = {
    "--list": list_channels,
    "--create": create_channel,
    "--update": update_channel,
    "--remove": remove_channel,
    "--show": show_channel,
    "--list-packages": list_packages,
    "--list-files": list_channel_files,
    "--history": show_history,
    "--package-changes": show_package_changes,
    "--lock": set_behaviour,
    "--soft-lock": set_behaviour,
    "--unlock": set_behaviour,
    "--freeze": set_behaviour,
    "--unfreeze": set_behaviour,
}
