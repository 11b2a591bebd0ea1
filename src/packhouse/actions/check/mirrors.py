"""Compares mirrors with the files that they brought: how many are here, and whether somebody will fetch the rest."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from sqlalchemy import Row

from packhouse.actions.check.report import Report
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import drop_unused
from packhouse.domain.mirrors import Mirror
from packhouse.errors import NotFound
from packhouse.storage import channels, mirror_entries, mirrors
from packhouse.storage.database import retried

BATCH = 1_000


def check_mirrors(packhouse: Packhouse, report: Report, repair: bool) -> None:
    _check_abandoned(packhouse, report, repair)
    _check_counts(packhouse, report, repair)


def _check_abandoned(packhouse: Packhouse, report: Report, repair: bool) -> None:
    """Without repair, the first thousand are told; those that are mended are abandoned no longer."""
    while rows := _abandoned(packhouse):
        for row in rows:
            report.add(f"{row.path}/{row.ckey}", "it awaits its bytes from a mirror that is gone.", repair)
        if not repair:
            return
        for channel_id, some in groupby(rows, key=lambda row: int(row.channel_id)):
            with suppress(NotFound):  # the channel was deleted meanwhile, and all that was in it
                _let_go(packhouse, channel_id, list(some))


def _abandoned(packhouse: Packhouse) -> Sequence[Row[Any]]:
    with packhouse.database.reading() as connection:
        return mirror_entries.abandoned(connection, BATCH)


@retried
def _let_go(packhouse: Packhouse, channel_id: int, rows: Sequence[Row[Any]]) -> None:
    """What nobody has seen yet goes; what is served belongs to its channel alone."""
    with packhouse.database.transaction() as connection:
        now = packhouse.clock()
        channels.lock(connection, [channel_id], now)
        unserved = [row for row in rows if not row.is_served]
        mirror_entries.release(connection, [row.id for row in rows if row.is_served])
        mirror_entries.remove(connection, [row.id for row in unserved])
        drop_unused(connection, {row.artifact_id for row in unserved}, now)


def _check_counts(packhouse: Packhouse, report: Report, repair: bool) -> None:
    with packhouse.database.reading() as connection:
        counted = [
            (one, mirrors.count_files(connection, one.id, one.channel_id))
            for one in mirrors.everywhere(connection)
        ]
    for mirror, (here, to_come) in counted:
        if (mirror.active, mirror.passive) != (here, to_come):
            said = f"{mirror.active} files here and {mirror.passive} to be fetched on demand"
            what = f"its mirror '{mirror.name}' is said to have {said}, and has {here} and {to_come}."
            if repair:
                _count_again(packhouse, mirror)
            report.add(mirror.channel_path, what, repair)


@retried
def _count_again(packhouse: Packhouse, mirror: Mirror) -> None:
    """Under the locks of all who add to the counts."""
    with packhouse.database.transaction(quiet=True) as connection, suppress(NotFound):
        channels.lock(connection, [mirror.channel_id], packhouse.clock())
        if mirrors.lock(connection, mirror.id):
            here, to_come = mirrors.count_files(connection, mirror.id, mirror.channel_id)
            mirrors.change(connection, mirror.id, {"active": here, "passive": to_come})
