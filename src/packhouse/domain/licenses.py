"""Families of licences: which ones a licence text offers, and whether a choice of families allows it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, reduce
from types import MappingProxyType
from typing import Any

from license_expression import (  # type: ignore[import-untyped]  # ships no types; is in no registry
    AND,
    OR,
    ExpressionError,
    LicenseWithExceptionSymbol,
    Licensing,
)

LICENSE_WORDS = (
    "agpl",
    "gpl2",
    "gpl3",
    "lgpl",
    "bsd",
    "mit",
    "apache",
    "psf",
    "public_domain",
    "proprietary",
    "other",
    "none",
)
"""The licence words of a mirror's filter, as the original spells them."""

LONGEST_EXPRESSION = 400
"""Characters; nobody writes longer expressions, and a hostile one would cost time."""
TEXTS_REMEMBERED = 10_000


class Family(StrEnum):
    AGPL = "agpl"
    GPL2 = "gpl2"
    GPL3 = "gpl3"
    LGPL = "lgpl"
    BSD = "bsd"
    MIT = "mit"
    APACHE = "apache"
    PSF = "psf"
    MOZILLA = "mozilla"
    CREATIVE_COMMONS = "cc"
    PUBLIC_DOMAIN = "public_domain"
    PROPRIETARY = "proprietary"
    OTHER = "other"
    NONE = "none"


Alternative = frozenset[Family]
"""Families whose terms have to be kept together: the `AND` of an expression."""
Alternatives = frozenset[Alternative]
"""What the receiver may choose from: the `OR` of an expression."""

_WORDS_OF_SEVERAL_FAMILIES = MappingProxyType(
    {Family.OTHER.value: frozenset({Family.OTHER, Family.MOZILLA, Family.CREATIVE_COMMONS})}
)
"""The mirror's words know no Mozilla and no Creative Commons, so these are `other` to it."""


def families_of_word(word: str) -> frozenset[Family]:
    """The families that a word of a filter stands for."""
    return _WORDS_OF_SEVERAL_FAMILIES.get(word) or frozenset({Family(word)})


@dataclass(frozen=True, slots=True)
class LicenseChoice:
    """Families asked for, and families not wanted; empty `included` asks for none in particular.

    A licence is included when one of its alternatives consists of included families only, and excluded
    when each of its alternatives holds an excluded one: `MIT OR GPL-3.0-only` may be taken as MIT.
    """

    included: frozenset[Family] = frozenset()
    excluded: frozenset[Family] = frozenset()

    @classmethod
    def of_words(cls, included: Iterable[str], excluded: Iterable[str]) -> "LicenseChoice":
        return cls(
            frozenset[Family]().union(*map(families_of_word, included)),
            frozenset[Family]().union(*map(families_of_word, excluded)),
        )

    def allows(self, license: str | None, license_family: str | None) -> bool:
        if not self.included and not self.excluded:
            return True
        offered = alternatives(license, license_family)
        is_included = not self.included or any(one <= self.included for one in offered)
        return is_included and not all(one & self.excluded for one in offered)


@lru_cache(maxsize=TEXTS_REMEMBERED)
def alternatives(license: str | None, license_family: str | None) -> Alternatives:
    """What the licence offers. `license_family` decides only where the text names no known family.

    Next to a known family, an unknown licence counts as `other`. A record that says nothing is `none`.
    """
    text = " ".join((license or "").split())
    found = _of_text(text)
    if found != _only(Family.OTHER):
        return found
    if license_family and (word := _plain_word(license_family)) in _FAMILY_OF_BUILD_WORD:
        return _FAMILY_OF_BUILD_WORD[word]
    return found if text else _only(Family.NONE)


def _only(*families: Family) -> Alternatives:
    return frozenset(frozenset({family}) for family in families)


_ANY_GPL = _only(Family.GPL2, Family.GPL3)
"""GPL without a version means any version (section 9 of version 2): the receiver's choice."""

_FAMILY_OF_BUILD_WORD = MappingProxyType(
    {
        "AGPL": _only(Family.AGPL),
        "GPL": _ANY_GPL,
        "GPL2": _only(Family.GPL2),
        "GPL3": _only(Family.GPL3),
        "LGPL": _only(Family.LGPL),
        "BSD": _only(Family.BSD),
        "MIT": _only(Family.MIT),
        "APACHE": _only(Family.APACHE),
        "PSF": _only(Family.PSF),
        "CC": _only(Family.CREATIVE_COMMONS),
        "MOZILLA": _only(Family.MOZILLA),
        "PUBLICDOMAIN": _only(Family.PUBLIC_DOMAIN),
        "PROPRIETARY": _only(Family.PROPRIETARY),
        "OTHER": _only(Family.OTHER),
        "NONE": _only(Family.NONE),
    }
)
"""conda-build's words for `license_family`, which it compares without case and punctuation."""


def _plain_word(license_family: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", license_family.upper())


_REWRITINGS = tuple(
    (re.compile(pattern, re.IGNORECASE), by)
    for pattern, by in (
        # R's "MIT + file LICENSE" fills in a template; behind "|" the file only repeats the terms.
        (r"\s*[|+]\s*file LICEN[SC]E\b", ""),
        (r"\(\s*>=?\s*([\d.]+)[^)]*\)", r"\1+"),  # R: GPL (>= 2)
        (r"\(\s*==\s*([\d.]+)\s*\)", r"\1"),  # R: Apache License (== 2.0)
        (r",?\s*\(?or (?:any )?(?:later|newer|greater|above)(?: versions?)?\)?", "+"),
        (r"(?<=\d) or v?\d[\d.]*(?![\w.])", "+"),  # GPL version 2 or 3
        (r"\s*(?:\||/)\s*", " OR "),  # Cargo's old form, MIT/Apache-2.0, means OR too
        (r"\s*[,;&]\s*", " AND "),  # a list says what is inside
        (r"\bwith (?:exceptions?|acknowledge?ments?)\b", ""),  # Fedora: GPLv2+ with exceptions
    )
)
"""From the ecosystems' own ways of writing to the operators of SPDX, in this order."""

_NAMES = MappingProxyType(
    {
        "agpl": r"agpl|affero(?: gpl| general public)?",
        "lgpl": r"lgpl|(?:lesser|library)(?: gpl| general public)",
        "gpl": r"(?:gpl|general public licen[sc]e)[ ,_-]*(?:version|ver\.?|v)?[ ._-]*"
        r"(?P<version>[123](?:\.\d)*)?(?P<later> ?\+|-or-later)?",
        "apache": r"apache|\basl\b",
        "bsd": r"bsd",
        "mit": r"\bmit(?![a-z])|\bx11\b|\bexpat\b",
        "psf": r"\bpsf|python software foundation|\bpython(?:-2| licen[sc]e)",
        "public_domain": r"public[ _-]?domain|\bcc0|creative commons zero|\bcc-pddc|\bunlicense\b",
        "cc": r"\bcc[ -]by|creative commons(?! zero)",
        "mozilla": r"\bmpl|mozilla",
        "proprietary": r"proprietary|(?<!non)(?<!non-)commercial|\beula\b|end[ -]user[ -]licen[sc]e"
        r"|all rights reserved|\bunlicensed\b",
        "none": r"^none$",
    }
)
"""By what a family is known in text; a longer name comes before the one that it contains."""
_KNOWN = re.compile("|".join(f"(?P<{family}>{pattern})" for family, pattern in _NAMES.items()), re.IGNORECASE)

_LICENSING = Licensing()


def _of_text(text: str) -> Alternatives:
    for pattern, by in _REWRITINGS:
        text = pattern.sub(by, text)
    if not text or len(text) > LONGEST_EXPRESSION:
        return _of_name(text)
    try:
        return _of_expression(_LICENSING.parse(text))
    except (ExpressionError, IndexError):  # the latter for parentheses around nothing
        return _of_name(text)


def _of_expression(expression: Any) -> Alternatives:
    """By the operators; an exception (`GPL-2.0-only WITH …`) leaves a licence in its family."""
    if isinstance(expression, OR):
        return _least(one for part in expression.args for one in _of_expression(part))
    if isinstance(expression, AND):
        return reduce(_both, map(_of_expression, expression.args))
    if isinstance(expression, LicenseWithExceptionSymbol):
        return _of_expression(expression.license_symbol)
    return _of_name(expression.key)


def _of_name(name: str) -> Alternatives:
    """Of one licence; a name in which several families are found is held to all of them."""
    return reduce(_both, _named_in(name)) if _KNOWN.search(name) else _only(Family.OTHER)


def _named_in(name: str) -> Iterator[Alternatives]:
    for match in _KNOWN.finditer(name):
        if match["gpl"]:
            yield _gpl(match["version"], is_or_later=bool(match["later"]))
        else:
            yield _only(Family(str(match.lastgroup)))


def _gpl(version: str | None, *, is_or_later: bool) -> Alternatives:
    """Version 1, which hardly anything has, counts with version 2."""
    if version is None or (is_or_later and not version.startswith("3")):
        return _ANY_GPL
    return _only(Family.GPL3 if version.startswith("3") else Family.GPL2)


def _both(left: Alternatives, right: Alternatives) -> Alternatives:
    return _least(one | other for one in left for other in right)


def _least(found: Iterable[Alternative]) -> Alternatives:
    """Without those that ask for all that another one asks for, and more: nobody would choose them."""
    each = frozenset(found)
    return frozenset(one for one in each if not any(other < one for other in each))
