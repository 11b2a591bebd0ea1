"""Which families a licence text offers, and what a choice of families allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.licenses import (
    LICENSE_WORDS,
    LONGEST_EXPRESSION,
    Family,
    LicenseChoice,
    alternatives,
    families_of_word,
)


def offered(license: str | None, license_family: str | None = None) -> set[str]:
    """Alternatives as one would write them: `{"mit", "bsd+gpl2"}`."""
    return {"+".join(sorted(one)) for one in alternatives(license, license_family)}


@pytest.mark.parametrize(
    ("license", "families"),
    [
        ("MIT", "mit"),
        ("MIT/X11", "mit"),
        ("BSD-3-Clause", "bsd"),
        ("0BSD", "bsd"),
        ("new BSD License", "bsd"),
        ("BSD 3-Clause", "bsd"),
        ("Apache-2.0", "apache"),
        ("Apache License (== 2.0)", "apache"),
        ("Apache-2.0 WITH LLVM-exception", "apache"),
        ("PSF-based", "psf"),
        ("Python-2.0", "psf"),
        ("GPL-2.0-only", "gpl2"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "gpl2"),
        ("GPLv2", "gpl2"),
        ("GPL-1.0-only", "gpl2"),
        ("GPL-3.0-or-later", "gpl3"),
        ("GPL version 3 or later", "gpl3"),
        ("LGPL-2.1-or-later", "lgpl"),
        ("LGPL (>= 2.1)", "lgpl"),
        ("GNU Lesser General Public License (LGPL)", "lgpl"),
        ("AGPL-3.0-only", "agpl"),
        ("GNU Affero General Public License v3", "agpl"),
        ("CC0-1.0", "public_domain"),
        ("Unlicense", "public_domain"),
        ("LicenseRef-Public-Domain", "public_domain"),
        ("CC-BY-4.0", "cc"),
        ("MPL-2.0", "mozilla"),
        ("Proprietary", "proprietary"),
        ("UNLICENSED", "proprietary"),
        ("LicenseRef-End-User-License-Agreement", "proprietary"),
        ("None", "none"),
        ("Zlib", "other"),
        ("Free for non-commercial use", "other"),
    ],
)
def test_one_licence_has_one_family(license: str, families: str) -> None:
    assert offered(license) == {families}


@pytest.mark.parametrize(
    ("license", "families"),
    [
        ("MIT OR GPL-3.0-only", {"mit", "gpl3"}),
        ("MIT or Apache-2.0", {"mit", "apache"}),
        ("GPL-2 | GPL-3", {"gpl2", "gpl3"}),
        ("MIT/Apache-2.0", {"mit", "apache"}),
        ("BSD-3-Clause AND MIT", {"bsd+mit"}),
        ("BSD, MIT", {"bsd+mit"}),
        ("MIT AND (BSD-2-Clause OR Apache-2.0)", {"bsd+mit", "apache+mit"}),
        ("BSD and GPLv2+", {"bsd+gpl2", "bsd+gpl3"}),
        ("Ruby or GPLv2", {"other", "gpl2"}),
        ("Commercial or AGPLv3", {"proprietary", "agpl"}),
        ("GPL-2 OR (GPL-2 AND MIT)", {"gpl2"}),
    ],
)
def test_or_offers_alternatives_and_and_joins_obligations(license: str, families: set[str]) -> None:
    assert offered(license) == families


@pytest.mark.parametrize(
    "license",
    [
        "GPL",
        "GPL (>= 2)",
        "GPL-2.0-or-later",
        "GPLv2+",
        "GPL+",
        "GPL version 2 or 3",
        "GPL v2 or any later version",
    ],
)
def test_gpl_of_several_versions_may_be_taken_as_either(license: str) -> None:
    assert offered(license) == {"gpl2", "gpl3"}


@pytest.mark.parametrize("license", ["MIT + file LICENSE", "MIT | file LICENCE"])
def test_the_licence_file_of_an_r_package_offers_nothing_more(license: str) -> None:
    assert offered(license) == {"mit"}


def test_text_that_is_no_expression_is_held_to_all_that_it_names() -> None:
    assert offered("MIT (but see GPL-3 in the folder") == {"gpl3+mit"}


def test_expression_too_long_to_be_one_is_held_to_all_that_it_names() -> None:
    assert offered(" OR ".join(["MIT", "BSD"] * LONGEST_EXPRESSION)) == {"bsd+mit"}


@pytest.mark.parametrize(
    ("license_family", "families"),
    [
        ("GPL3", {"gpl3"}),
        ("GPL", {"gpl2", "gpl3"}),
        ("Public-Domain", {"public_domain"}),
        ("PUBLIC DOMAIN", {"public_domain"}),
        ("CC", {"cc"}),
        ("Mozilla", {"mozilla"}),
        ("a word of its own", {"other"}),
    ],
)
def test_family_of_the_record_decides_for_text_that_names_none(
    license_family: str, families: set[str]
) -> None:
    assert offered("see the file", license_family) == families


def test_text_that_names_a_family_outweighs_the_family_of_the_record() -> None:
    assert offered("GPL-2", "GPL3") == {"gpl2"}


@pytest.mark.parametrize("license", [None, "", "  "])
def test_record_that_says_nothing_has_no_licence(license: str | None) -> None:
    assert offered(license) == {"none"}


@pytest.mark.parametrize("word", LICENSE_WORDS)
def test_every_word_of_a_filter_stands_for_families(word: str) -> None:
    assert Family(word) in families_of_word(word)


def test_no_family_lies_outside_the_words_of_a_filter() -> None:
    assert frozenset[Family]().union(*map(families_of_word, LICENSE_WORDS)) == set(Family)


@pytest.mark.parametrize(
    ("license", "is_allowed"),
    [
        ("MIT", True),
        ("BSD", False),
        ("MIT OR BSD", True),
        ("MIT AND BSD", False),
        ("MIT AND Apache-2.0", True),
    ],
)
def test_included_is_what_some_alternative_of_included_families_offers(
    license: str, is_allowed: bool
) -> None:
    assert LicenseChoice.of_words(["mit", "apache"], []).allows(license, None) is is_allowed


@pytest.mark.parametrize(
    ("license", "is_allowed"),
    [
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL (>= 2)", True),
        ("AGPL-3.0-only OR GPL-3.0-only", False),
    ],
)
def test_excluded_is_what_has_an_excluded_family_in_every_alternative(license: str, is_allowed: bool) -> None:
    assert LicenseChoice.of_words([], ["gpl3", "agpl"]).allows(license, None) is is_allowed


def test_no_choice_allows_everything() -> None:
    assert LicenseChoice().allows("Proprietary", None)


def test_other_of_a_mirror_holds_what_it_has_no_word_for() -> None:
    choice = LicenseChoice.of_words([], ["other"])

    assert not any(choice.allows(license, None) for license in ("MPL-2.0", "CC-BY-4.0", "Zlib"))


NAMES = {"MIT": Family.MIT, "BSD-3-Clause": Family.BSD, "GPL-2.0-only": Family.GPL2, "Zlib": Family.OTHER}
EXPRESSIONS = st.recursive(
    st.sampled_from(sorted(NAMES)),
    lambda parts: st.tuples(parts, st.sampled_from(("AND", "OR")), parts).map(
        lambda three: f"({three[0]} {three[1]} {three[2]})"
    ),
    max_leaves=6,
)


def _keeps(expression: str, accepted: frozenset[Family]) -> bool:
    """Whether somebody who accepts these families can take it, by Python's own `and` and `or`."""
    for name, family in NAMES.items():
        expression = expression.replace(name, str(family in accepted))
    return bool(eval(expression.replace("AND", "and").replace("OR", "or")))  # our own text, four names


@given(expression=EXPRESSIONS, accepted=st.frozensets(st.sampled_from(sorted(NAMES.values()))))
def test_expression_is_taken_exactly_by_those_who_accept_enough(
    expression: str, accepted: frozenset[Family]
) -> None:
    rest = frozenset(Family) - accepted

    assert any(one <= accepted for one in alternatives(expression, "OTHER")) is _keeps(expression, accepted)
    assert LicenseChoice(excluded=rest).allows(expression, "OTHER") is _keeps(expression, accepted)


@given(license=st.text() | st.text("()|+,/ ANDORWITHgplmit23."), license_family=st.none() | st.text())
def test_any_text_offers_something(license: str, license_family: str | None) -> None:
    assert all(alternatives(license, license_family))
