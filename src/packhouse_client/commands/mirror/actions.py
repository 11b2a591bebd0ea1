"""Which function does what an option of the command `mirror` asks for."""

from collections.abc import Callable, Mapping

from packhouse_client.commands.mirror.changes import (
    create_mirror,
    delete_mirror,
    restart_mirror,
    stop_mirror,
    update_mirror,
)
from packhouse_client.commands.mirror.overview import list_all_mirrors, list_mirrors, show_mirror
from packhouse_client.commands.mirror.request import Request
from packhouse_client.commands.mirror.runs import list_changes, list_runs
from packhouse_client.commands.mirror.sync_state import show_sync_state
from packhouse_client.commands.mirror.watch import follow_mirror
from packhouse_client.session import Session

ACTIONS: Mapping[str, Callable[[Session, Request], None]] = {
    "--create": create_mirror,
    "--update": update_mirror,
    "--delete": delete_mirror,
    "--stop": stop_mirror,
    "--restart": restart_mirror,
    "--list": list_mirrors,
    "--list-all": list_all_mirrors,
    "--show": show_mirror,
    "--sync-state": show_sync_state,
    "--follow": follow_mirror,
    "--runs": list_runs,
    "--changes": list_changes,
}
