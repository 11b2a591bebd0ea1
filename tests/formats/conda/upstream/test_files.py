from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.sections import Section
from packhouse.formats.conda.records import with_indexed_timestamp
from packhouse.formats.conda.upstream.files import WHEELS, RefusedRecord, UpstreamFile, upstream_file
from tests.formats.conda.upstream.samples import SUBDIR, record, without

FILENAME = "zlib-1.3-h1_0.conda"


def read(raw: object, filename: str = FILENAME, section: int = Section.CONDA, **known: Any) -> UpstreamFile:
    return upstream_file(SUBDIR, filename, raw, section=section, **known)


def refusal(raw: object, filename: str = FILENAME, section: int = Section.CONDA) -> str:
    with pytest.raises(RefusedRecord) as refused:
        read(raw, filename, section)
    assert refused.value.filename == filename
    assert refused.value.message == f"{filename}: {refused.value.reason}"
    return refused.value.reason


def test_facts_are_those_of_the_record() -> None:
    raw = record()

    file = read(raw, is_signed=True)

    assert (file.name, file.version, file.build, file.build_number) == ("zlib", "1.3", "h1_0", 0)
    assert (file.subdir, file.ckey, file.section) == (SUBDIR, f"{SUBDIR}/{FILENAME}", 1)
    assert (file.sha256, file.md5, file.size) == (raw["sha256"], raw["md5"], raw["size"])
    assert file.is_signed


def test_record_is_served_as_upstream_has_it_patches_and_unknown_keys_included() -> None:
    raw = record(
        revoked=True, depends=["package_has_been_revoked"], app={"b": [1, None], "a": 0.5}, arch=None
    )

    file = read(raw)

    assert file.record == raw
    assert orjson.loads(file.body) == raw


@pytest.mark.parametrize("key", ["indexed_timestamp", "url", "fn", "channel", "purls", "attestations_sha256"])
def test_what_is_not_for_upstream_to_say_is_dropped(key: str) -> None:
    assert read(record() | {key: 5}).body == read(record()).body


def test_time_of_indexing_goes_in_at_the_splice() -> None:
    file = read(record(indexed_timestamp=1, indexee="neighbour"))

    spliced = with_indexed_timestamp(file.body, file.splice, 17)

    assert orjson.loads(spliced) == file.record | {"indexed_timestamp": 17}
    assert list(orjson.loads(spliced)) == sorted(orjson.loads(spliced))


@pytest.mark.parametrize("known", ["md5", "sha256"])
def test_one_digest_is_enough_and_the_other_is_left_out(known: str) -> None:
    unknown = {"md5": "sha256", "sha256": "md5"}[known]

    file = read(record() | {unknown: None})

    assert getattr(file, unknown) == ""
    assert unknown not in file.record
    assert getattr(file, known) == record()[known]


def test_time_goes_in_where_md5_is_unknown() -> None:
    file = read(without(record(), "md5"))

    assert orjson.loads(with_indexed_timestamp(file.body, file.splice, 5))["indexed_timestamp"] == 5


def test_digests_are_read_as_bytes_and_in_upper_case() -> None:
    raw = record()

    shouted = read(raw | {"md5": raw["md5"].upper(), "sha256": bytes.fromhex(raw["sha256"])})

    assert shouted == read(raw)


def test_missing_subdir_is_that_of_the_index() -> None:
    assert read(without(record(), "subdir")) == read(record())


def test_null_depends_become_none() -> None:
    assert read(record(depends=None)).record["depends"] == []


def test_run_exports_are_unknown_without_a_source() -> None:
    assert read(record()).run_exports == b""


def test_run_exports_of_the_record_win_and_leave_it() -> None:
    file = read(record(run_exports={"weak": ["zlib >=1.3"]}), run_exports=b'{"strong":["a"]}')

    assert file.run_exports == b'{"weak":["zlib >=1.3"]}'
    assert "run_exports" not in file.record


def test_empty_run_exports_say_that_there_are_none() -> None:
    assert read(record(run_exports={}), run_exports=b'{"strong":["a"]}').run_exports == b"{}"


def test_variant_changes_with_record_and_run_exports_and_with_nothing_else() -> None:
    shuffled = dict(reversed(record().items()))
    variants = [
        read(record()).variant,
        read(record(license="BSD")).variant,
        read(record(), run_exports=b"{}").variant,
    ]

    assert len(set(variants)) == 3
    assert read(shuffled, is_signed=True).variant == variants[0]
    assert all(len(variant) == 16 and int(variant, 16) >= 0 for variant in variants)


def test_v3_record_may_use_what_only_its_readers_understand() -> None:
    raw = record(flags=["cuda"], extra_depends={"gui": ["qt"]}, depends=['numpy[when="python >=3.12"]'])

    assert read(raw, section=Section.V3_CONDA).record["flags"] == ["cuda"]


@pytest.mark.parametrize(
    ("later", "word"),
    [
        ({"flags": ["cuda"]}, "flags"),
        ({"extra_depends": {"gui": ["qt"]}}, "extra_depends"),
        ({"depends": ['numpy[when="python"]']}, "when"),
    ],
)
def test_the_same_outside_of_v3_is_refused(later: dict[str, Any], word: str) -> None:
    assert word in refusal(record(**later))


def test_wheel_is_refused_for_what_it_is() -> None:
    reason = refusal(record(), "zlib-1.3-h1_0.whl", WHEELS)

    assert reason == "wheels in a conda channel are not served yet"


@pytest.mark.parametrize(
    "filename",
    [
        "../../etc/passwd-1-0.conda",
        "a/b-1-0.conda",
        "zlib-1.3.conda",
        "Zlib-1.3-h1_0.conda",
        "x" * 210 + "-1-0.conda",
    ],
)
def test_file_name_that_no_package_has_is_refused(filename: str) -> None:
    with pytest.raises(RefusedRecord, match="CEP 26") as refused:
        read(record(), filename)
    assert len(refused.value.filename) <= 211


def test_file_in_the_section_of_another_kind_is_refused() -> None:
    assert ".tar.bz2" in refusal(record(), section=Section.TAR_BZ2)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"name": "zlib-ng"}, "'name'"),
        ({"version": "1.4"}, "'version'"),
        ({"build": "h1_1"}, "'build'"),
        ({"name": None}, "'name'"),
        ({"version": 1.3}, "'version'"),
        ({"subdir": "noarch"}, "'noarch'"),
        ({"subdir": 64}, "'subdir'"),
        ({"md5": None, "sha256": None}, "neither 'sha256' nor 'md5'"),
        ({"md5": "abc"}, "'md5'"),
        ({"sha256": "g" * 64}, "'sha256'"),
        ({"sha256": "0" * 63 + "\u0661"}, "'sha256'"),
        ({"sha256": b"short"}, "'sha256'"),
        ({"sha256": 12}, "'sha256'"),
        ({"size": None}, "'size'"),
        ({"size": -1}, "'size'"),
        ({"size": 1.5}, "'size'"),
        ({"size": True}, "'size'"),
        ({"size": "12"}, "'size'"),
        ({"size": 2**63}, "'size'"),
        ({"build_number": "0"}, "'build_number'"),
        ({"build_number": 2**63}, "'build_number'"),
        ({"depends": "python"}, "'depends'"),
        ({"depends": {}}, "'depends'"),
        ({"depends": ["python", 3]}, "'depends'"),
        ({"constrains": [None]}, "'constrains'"),
        ({"license": ["MIT"]}, "'license'"),
        ({"timestamp": "yesterday"}, "'timestamp'"),
        ({"timestamp": 10**18}, "'timestamp'"),
        ({"noarch": "ruby"}, "'noarch'"),
        ({"track_features": [1]}, "carry"),
        ({"run_exports": ["zlib"]}, "'run_exports'"),
        ({"run_exports": {"weak": "zlib"}}, "'run_exports'"),
        ({"run_exports": {"weak": ["z\0"]}}, "'run_exports'"),
        ({"extra": 2**64}, "carry"),
        ({"extra": b"bytes"}, "carry"),
        ({"extra": {1: 2}}, "carry"),
        ({"extra": "a\0b"}, "NUL"),
    ],
    ids=str,
)
def test_bad_record_is_refused_by_what_is_wrong(fields: dict[str, Any], word: str) -> None:
    assert word in refusal(record(**fields))


@pytest.mark.parametrize("raw", [None, 5, "text", [], b""])
def test_record_that_is_no_object_is_refused(raw: object) -> None:
    assert "no object" in refusal(raw)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.binary(max_size=2), inner)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(sorted([*record(), "noarch", "features", "run_exports", "x"])), anything)
)
def test_any_record_is_either_refused_or_readable(fields: dict[str, Any]) -> None:
    try:
        file = read(record() | fields)
    except RefusedRecord:
        return
    assert orjson.loads(with_indexed_timestamp(file.body, file.splice, 7))["indexed_timestamp"] == 7
    assert upstream_file(SUBDIR, FILENAME, file.record, section=1, run_exports=file.run_exports) == file


def test_refusal_shows_no_control_characters_of_the_upstream() -> None:
    refused = RefusedRecord("evil\0\x1b[31m.conda", "its 'name' is\n\ud800")

    assert refused.filename == "evil\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}[31m.conda"
    assert refused.reason == "its 'name' is\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert refused.message.isprintable()
