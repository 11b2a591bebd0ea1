"""Words of the command line made plain before they are read as options: values left out, typographic quotes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from typer.core import TyperCommand

TRUE = frozenset({"yes", "true", "t", "y", "1"})
FALSE = frozenset({"no", "false", "f", "n", "0", ""})
QUOTES = re.compile("[“”„‟«»]")
"""The document prints them in some commands, and whoever copies those pastes them."""
SWITCHES = frozenset(
    {
        "--only_signed",
        "--only-signed",
        "--exclude_uncurated_cve_packages",
        "--exclude-uncurated-cve-packages",
        "--include-dependencies",
        "--include_dependencies",
        "--use-channel-policy",
        "--use_channel_policy",
    }
)
"""Options whose value is true or false, and true when it is left out."""
LISTS = frozenset({"-l", "--list"})
"""Options whose value, a channel, may be said with --channel."""


class MirrorCommand(TyperCommand):
    """Reads `--only_signed` with a value and without, which no option of Typer can."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, plain(args))


def plain(words: Sequence[str]) -> list[str]:
    return list(_with_values(list(_unquoted(words))))


def _unquoted(words: Iterable[str]) -> Iterator[str]:
    """Without typographic quotes; what stands between two of them is one word, as the shell did not know."""
    parts: list[str] = []
    for word in words:
        parts.append(QUOTES.sub("", word))
        is_toggled = len(QUOTES.findall(word)) % 2 == 1
        if is_toggled == (len(parts) > 1):
            yield " ".join(parts)
            parts = []
    yield from parts


def _with_values(words: Sequence[str]) -> Iterator[str]:
    for word, following in zip_longest(words, words[1:]):
        yield word
        if word in SWITCHES and (following is None or following.lower() not in TRUE | FALSE):
            yield "true"
        elif word in LISTS and (following is None or following.startswith("-")):
            yield ""
