"""What may be said of a mirror, and of what its filters let pass."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.licenses import LICENSE_WORDS
from packhouse.domain.mirrors import (
    LONGEST_WINDOW_DAYS,
    MAX_SPECS,
    Filters,
    Specification,
    check_proxy,
    check_source,
    without_password,
)
from packhouse.errors import Invalid


def test_empty_document_filters_nothing() -> None:
    assert Filters.parse({}) == Filters()
    assert Filters().to_json() == {}


def test_null_is_as_good_as_left_out() -> None:
    assert Filters.parse({"subdirs": None, "only_signed": None, "date_from": None}) == Filters()


def test_licence_words_are_taken_in_the_spelling_of_a_policy_too() -> None:
    assert Filters.parse({"include_licenses": ["Public-Domain", "GPL3"]}).include_licenses == (
        "public_domain",
        "gpl3",
    )


def test_words_are_trimmed_and_come_once() -> None:
    assert Filters.parse({"only_specs": [" numpy", "numpy", " "]}).only_specs == ("numpy",)


def test_cve_score_of_nothing_is_a_filter() -> None:
    assert Filters.parse({"cve_score_threshold": 0}).to_json() == {"cve_score_threshold": 0.0}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"subdir": ["noarch"]}, "'subdir' is no filter"),
        ({"subdirs": "noarch"}, "'subdirs' is a list of words"),
        ({"subdirs": ["linux"]}, "'linux' is no subdir"),
        ({"subdirs": [1]}, "'subdirs' is a list of words"),
        ({"include_licenses": ["gpl4"]}, "'gpl4' is no licence word. Known are: agpl, "),
        ({"include_licenses": ["mit"], "exclude_licenses": ["mit"]}, "'mit' is both included and excluded"),
        ({"only_specs": ["a"], "exclude_specs": ["b"]}, "Can't combine only_specs with exclude_specs"),
        ({"only_specs": ["a"], "include_specs": ["b"]}, "Can't combine only_specs with exclude_specs"),
        ({"cve_score_threshold": 10.1}, "10.1 is not between 0.0 and 10.0"),
        ({"cve_score_threshold": "7"}, "'cve_score_threshold' is a number"),
        ({"cve_score_threshold": True}, "'cve_score_threshold' is a number"),
        ({"only_signed": "yes"}, "'only_signed' is true or false"),
        ({"date_from": "31.01.2026"}, "'date_from' is a day such as 2026-01-31"),
        ({"date_from": "2026-01-02", "date_to": "2026-01-01"}, "lies after date_to 2026-01-01"),
        ({"date_from": "2024-01-01", "date_to": "2026-01-01"}, "more than one year"),
    ],
)
def test_wrong_filter_is_refused_by_name(document: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        Filters.parse(document)

    assert words in caught.value.message


def test_more_specs_than_can_be_judged_are_refused() -> None:
    with pytest.raises(Invalid, match="More than"):
        Filters(only_specs=("a",) * (MAX_SPECS + 1))


def test_filters_that_wait_for_vulnerability_data_are_told() -> None:
    filters = Filters(cve_score_threshold=0.0, exclude_non_curated_cve=True, only_signed=True)

    assert filters.inert == ["cve_score_threshold", "exclude_non_curated_cve"]


WORDS = st.lists(st.text("abcdefg_*=<>.0123", min_size=1), unique=True, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents that are right, without empty lists and nulls."""
    licenses = draw(st.lists(st.sampled_from(LICENSE_WORDS), unique=True))
    split = draw(st.integers(0, len(licenses)))
    first_day = draw(st.dates(max_value=date(9998, 1, 1)))
    span = draw(st.integers(0, LONGEST_WINDOW_DAYS))
    document = {
        "subdirs": draw(st.lists(st.sampled_from(("noarch", "linux-64", "win-64")), unique=True)),
        "projects": draw(WORDS),
        "include_licenses": licenses[:split],
        "exclude_licenses": licenses[split:],
        "cve_score_threshold": draw(st.none() | st.floats(0, 10)),
        "exclude_non_curated_cve": draw(st.booleans()),
        "only_signed": draw(st.booleans()),
        "date_from": draw(st.sampled_from((None, first_day.isoformat()))),
        "date_to": draw(st.sampled_from((None, (first_day + timedelta(days=span)).isoformat()))),
        "include_dependencies": draw(st.booleans()),
    }
    specs = draw(st.sampled_from((("only_specs",), ("exclude_specs", "include_specs"))))
    document |= {key: draw(WORDS) for key in specs}
    return {key: value for key, value in document.items() if value not in ([], None)}


@given(documents())
def test_filters_come_back_as_they_were_sent(document: dict[str, Any]) -> None:
    sent = {key: value for key, value in document.items() if value is not False}
    filters = Filters.parse(document)

    assert filters.to_json() == sent
    assert Filters.parse(filters.to_json()) == filters


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(Filters.__dataclass_fields__)) | st.text(), JSON, max_size=4))
def test_any_other_document_is_refused_or_read(document: dict[str, Any]) -> None:
    try:
        filters = Filters.parse(document)
    except Invalid:
        return
    assert Filters.parse(filters.to_json()) == filters


@pytest.mark.parametrize("name", ["", " m", "-m", "m/n", "m\n", "m" * 101, "mü"])
def test_name_that_no_address_or_table_can_show_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="is no name for a mirror"):
        Specification(name=name, source="https://upstream.example/main")


@pytest.mark.parametrize(
    "source", ["https://upstream.example/main", "http://upstream.example:8080/a/b", "file:///srv/channel"]
)
def test_source_of_http_or_a_folder_is_taken(source: str) -> None:
    check_source(source)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "upstream.example/main",
        "ftp://upstream.example/main",
        "https://",
        "https://upstream.example:port/",
        "https://[::1/",
        "https://user:word@upstream.example/",
        "https://upstream.example/?a=b",
        "https://upstream.example/a b",
        "https://upstream.example/\x00",
        "https://upstream.example/" + "a" * 1_000,
        "file://elsewhere/folder",
        "file:folder",
    ],
)
def test_source_that_no_channel_has_is_refused(source: str) -> None:
    with pytest.raises(Invalid):
        check_source(source)


@pytest.mark.parametrize(
    "proxy", ["http://proxy.example:3128", "http://user:word@proxy.example", "https://p/"]
)
def test_proxy_of_http_is_taken(proxy: str) -> None:
    check_proxy(proxy)


UNQUOTED = ("http://u:secret#1@p", "http://u:12#secret@p", "http://u:secret/@p", "http://[u:secret@p")
"""Passwords whose special characters should have been quoted."""


@pytest.mark.parametrize(
    "proxy", ["proxy.example:3128", "socks5://p", "http://p/path", "http://", "http://u:secret@", *UNQUOTED]
)
def test_proxy_that_is_none_is_refused_without_a_word_of_its_password(proxy: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_proxy(proxy)

    assert "secret" not in caught.value.message


def test_password_of_a_proxy_is_not_shown() -> None:
    mirror = Specification(
        name="m", source="https://upstream.example", proxy="http://user:word@proxy.example:3128"
    )

    assert mirror.shown_proxy == "http://user:***@proxy.example:3128"


def test_proxy_without_a_password_is_shown_whole() -> None:
    assert without_password("http://user@proxy.example:3128") == "http://user@proxy.example:3128"


def test_mirror_without_a_proxy_shows_none() -> None:
    assert Specification(name="m", source="https://upstream.example").shown_proxy is None


@pytest.mark.parametrize("source", ["https://u:secret#1@h/x", "ftp://u:secret@h", "file://u:secret@h/x"])
def test_password_in_a_source_that_is_none_is_not_shown(source: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_source(source)

    assert "secret" not in caught.value.message


def test_score_that_no_float_holds_is_refused() -> None:
    with pytest.raises(Invalid, match="'cve_score_threshold' is a number of another size"):
        Filters.parse({"cve_score_threshold": 10**400})


@pytest.mark.parametrize("key", ["cron", "timezone", "policy_id"])
@pytest.mark.parametrize("text", ["a" * 101, "a\0"])
def test_words_that_the_database_cannot_keep_are_refused(key: str, text: str) -> None:
    with pytest.raises(Invalid, match=key):
        Specification(name="m", source="https://upstream.example", **{key: text})
