"""When a mirror runs next: cron, in the time zone that its people live in."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from packhouse.errors import Invalid

FIELDS = "minute, hour, day of the month, month, day of the week"


def next_run(cron: str, timezone: str, after: datetime) -> datetime | None:
    """The next moment after `after`; None for an empty cron, which never comes round.

    An hour that a clock change leaves out is made up for, and one that comes twice counts once, as Debian's
    cron does it. Raises Invalid for a cron line or a zone that is none.
    """
    zone = _zone(timezone)
    if not cron.strip():
        return None
    try:
        return next(CronSim(cron, after.astimezone(zone))).astimezone(UTC)
    except (CronSimError, ValueError) as error:
        raise Invalid(
            f"'{cron[:100]}' is no cron line: {error}. Write five fields ({FIELDS}), such as '0 3 * * *'."
        ) from error
    except StopIteration as error:
        raise Invalid(f"'{cron[:100]}' never comes round within the next fifty years.") from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(f"'{name[:60]}' is no time zone; write one such as UTC or Europe/Berlin.") from error
