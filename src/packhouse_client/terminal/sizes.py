"""Bytes as people read them."""

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def as_size(count: float) -> str:
    """In powers of a thousand, as disks are sold and networks are measured."""
    for unit in UNITS[:-1]:
        if abs(count) < 999.5 or (unit == "bytes" and count < 1000):
            return _written(count, unit)
        count /= 1000
    return _written(count, UNITS[-1])


def _written(count: float, unit: str) -> str:
    if unit == "bytes":
        return f"{count:.0f} byte{'' if round(count) == 1 else 's'}"
    return f"{count:.0f} {unit}" if count >= 9.95 else f"{count:.1f} {unit}"
