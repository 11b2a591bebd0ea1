"""Text out of files of strangers, made fit to be shown."""

MAX_LENGTH = 500


def shown(value: object) -> str | None:
    """The first line's worth of a text; None for what is no text or has none to show."""
    if not isinstance(value, str):
        return None
    words = " ".join("".join(c if c.isprintable() else " " for c in value[: 4 * MAX_LENGTH]).split())
    return (words if len(words) <= MAX_LENGTH else f"{words[: MAX_LENGTH - 3]}...") or None
