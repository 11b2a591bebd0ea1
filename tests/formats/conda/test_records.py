from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packhouse.domain.artifacts import Digests, PackageFacts
from packhouse.errors import InvalidPackage
from packhouse.formats.conda.records import make_record, with_indexed_timestamp

DIGESTS = Digests(md5="0a" * 16, sha256="0b" * 32, size=4321)
FILE_FACTS = {"md5": DIGESTS.md5, "sha256": DIGESTS.sha256, "size": DIGESTS.size, "subdir": "linux-64"}
INDEX = {
    "arch": "x86_64",
    "build": "h7b6447c_3",
    "build_number": 3,
    "depends": ["libgcc-ng >=7.3.0"],
    "license": "zlib",
    "license_family": "Other",
    "name": "zlib",
    "platform": "linux",
    "subdir": "linux-64",
    "timestamp": 1542815182812,
    "version": "1.2.11",
}


def facts(index: dict[str, Any]) -> PackageFacts:
    return PackageFacts(
        family="conda",
        name="zlib",
        version="1.2.11",
        build="h7b6447c_3",
        build_number=3,
        subdir="linux-64",
        filename="zlib-1.2.11-h7b6447c_3.conda",
        index=index,
        about={},
        run_exports={},
        flags={},
        details={},
    )


def record(index: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(make_record(facts(index), DIGESTS).body)
    return document


def test_record_equals_the_index_json_plus_file_facts() -> None:
    assert record(INDEX) == INDEX | FILE_FACTS


def test_unknown_keys_and_null_arch_are_kept() -> None:
    index = INDEX | {"arch": None, "platform": None, "app_entry": "zlib --help", "nested": {"b": 1, "a": []}}

    assert record(index) == index | FILE_FACTS


def test_file_facts_of_the_index_json_are_overruled() -> None:
    lies = {"md5": "f" * 32, "sha256": "f" * 64, "size": 1, "subdir": "win-64"}

    assert record(INDEX | lies) == INDEX | FILE_FACTS


@pytest.mark.parametrize(
    "key",
    [
        "attestations_sha256",
        "channel",
        "fn",
        "indexed_timestamp",
        "legacy_bz2_md5",
        "legacy_bz2_size",
        "purls",
        "run_exports",
        "url",
    ],
)
def test_what_only_the_server_may_say_is_dropped(key: str) -> None:
    assert record(INDEX | {key: "mine"}) == INDEX | FILE_FACTS


@pytest.mark.parametrize("depends", [{}, {"depends": None}, {"depends": []}])
def test_depends_is_always_a_list(depends: dict[str, Any]) -> None:
    index = {key: value for key, value in INDEX.items() if key != "depends"}

    assert record(index | depends)["depends"] == []


@pytest.mark.parametrize("value", ["", None, False])
def test_empty_noarch_is_dropped(value: object) -> None:
    assert "noarch" not in record(INDEX | {"noarch": value})


@pytest.mark.parametrize("value", ["generic", "python", True])
def test_noarch_is_kept(value: object) -> None:
    assert record(INDEX | {"noarch": value})["noarch"] == value


@pytest.mark.parametrize("key", ["constrains", "track_features", "features", "flags", "extra_depends"])
def test_null_is_dropped_where_a_client_would_choke_on_it(key: str) -> None:
    assert key not in record(INDEX | {key: None})


@pytest.mark.parametrize("key", ["track_features", "features"])
def test_list_of_features_becomes_words(key: str) -> None:
    assert record(INDEX | {key: ["mkl", "vc14"]})[key] == "mkl vc14"


@pytest.mark.parametrize("value", [2**64, "\ud800", [object()]], ids=["integer", "surrogate", "object"])
def test_value_that_fits_no_index_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidPackage, match=r"zlib-1\.2\.11-h7b6447c_3\.conda: info/index\.json"):
        make_record(facts(INDEX | {"extra": value}), DIGESTS)


def test_same_facts_in_another_order_give_the_same_bytes() -> None:
    shuffled = dict(reversed(INDEX.items()))

    assert make_record(facts(shuffled), DIGESTS) == make_record(facts(INDEX), DIGESTS)


text = st.text(st.characters(codec="utf-8"), max_size=6)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | text
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(text, scalars, max_size=3)
neighbours = st.sampled_from(
    ["", "indexed_timestamp", "indexed_timestamp_", "indexed_timestamo", "indexed_timestamq"]
)
extras = st.dictionaries(neighbours | text.map("x{}".format) | text.map("I{}".format), values, max_size=6)


@given(extras, st.integers(0, 2**53))
@example({}, 0)
@example({"indexed_timestamp": 1}, 1_700_000_000_000)
def test_indexed_timestamp_keeps_the_keys_sorted_and_changes_nothing_else(
    extra: dict[str, Any], milliseconds: int
) -> None:
    made = make_record(facts(extra), DIGESTS)

    spliced = with_indexed_timestamp(made.body, made.splice, milliseconds)

    document = orjson.loads(spliced)
    assert list(document) == sorted(document)
    assert document == extra | FILE_FACTS | {"depends": [], "indexed_timestamp": milliseconds}
    assert spliced == orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


@pytest.mark.parametrize(
    "later",
    [
        {"extra_depends": {"gui": ["qt"]}},
        {"flags": ["cuda"]},
        {"depends": ['numpy[when="python >=3.12"]']},
        {"constrains": ["numpy[version='>=2', extras=[blas]]"]},
    ],
)
def test_package_that_needs_repodata_v3_is_refused_by_name(later: dict[str, Any]) -> None:
    with pytest.raises(InvalidPackage, match=r"zlib-1\.2\.11-h7b6447c_3\.conda: .* needs repodata v3"):
        make_record(facts(INDEX | later), DIGESTS)


def test_bracketed_specs_of_today_are_taken() -> None:
    depends = ["numpy[version='>=2',build=py*]"]
    assert record(INDEX | {"depends": depends})["depends"] == depends
