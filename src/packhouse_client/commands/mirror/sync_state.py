"""How far a mirror is, and what its filters and its channel left out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packhouse_client.commands.mirror.lookup import find_mirror
from packhouse_client.commands.mirror.request import Request
from packhouse_client.session import Session
from packhouse_client.terminal.tables import Column, as_cell, table, terminal_width
from packhouse_client.wire.connection import Document

INDENT = 5
CKEY_WIDTH = 60
Block = Mapping[str, Any]
BY_MIRROR: Mapping[str, str] = {
    "cve": "Cve",
    "date": "Date",
    "license": "License",
    "only_specs": "Only specs",
    "exclude_specs": "exclude specs",
    "duplicated_legacy_conda": "Duplicated legacy conda",
}
BY_CHANNEL: Mapping[str, str] = {"license": "License", "exclude_specs": "Exclude specs"}
"""Headings, as `conda repo` always spelled them."""


def show_sync_state(session: Session, request: Request) -> None:
    mirror = find_mirror(session, request).mirror
    if request.as_json:
        names = ("mirror_id", "mirror_name", "state", "sync_state")
        session.output.print_json({name: mirror[name] for name in names})
        return
    for title, block in _blocks(mirror["sync_state"]):
        session.output.print(f"{' ' * INDENT}{title}:")
        session.output.print("\n".join(_shown(block)) + "\n")


def _blocks(state: Document) -> Iterator[tuple[str, Block]]:
    count = state["count"]
    yield (
        "SYNC STATE",
        {
            "Active": count["active"],
            "Failed": count["failed"],
            "Passive": count["passive"],
            "Removed": count["removed"],
            "Last ckey": state["last_ckey"],
            "Last exception": state["last_exception"],
            "Total steps count": state["total_steps_count"],
            "Current step number": state["current_step_number"],
            "Current step percentage": state["current_step_percentage"],
            "Current step description": state["current_step_description"],
        },
    )
    yield "FILTERED PACKAGES BY MIRROR", _labelled(count["mirror_filtered"], BY_MIRROR)
    yield "FILTERED PACKAGES BY CHANNEL", _labelled(count["channel_filtered"], BY_CHANNEL)
    beyond = {
        "Refused": count.get("refused"),
        "Vanished": count.get("vanished"),
        "Bytes transferred": state.get("bytes_transfered"),
        "Bytes planned": state.get("bytes_planned"),
    }
    if known := {label: value for label, value in beyond.items() if value is not None}:
        yield "TRANSFER", known


def _labelled(counts: Mapping[str, Any], labels: Mapping[str, str]) -> Block:
    """The columns that always were, in their order; reasons that came later stand behind them."""
    always = {label: counts.get(key, 0) for key, label in labels.items()}
    return always | {
        key.replace("_", " ").capitalize(): value for key, value in counts.items() if key not in labels
    }


def _shown(block: Block) -> Sequence[str]:
    """A table of one row; one fact a line where it would be wider than the terminal."""
    columns = [Column(label, CKEY_WIDTH if label == "Last ckey" else len(label)) for label in block]
    lines = table(columns, [list(block.values())], indent=INDENT, width=0).splitlines()
    if 0 < terminal_width() < max(map(len, lines)):
        return [f"{' ' * INDENT}{label}: {as_cell(value)}".rstrip() for label, value in block.items()]
    return lines
