"""Reading an index member by member, from chunks of every size."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhouse.domain.sections import Section
from packhouse.errors import Invalid
from packhouse.formats.conda.members import Member, read_members
from packhouse.formats.conda.repodata import IndexRow, write_repodata

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def chunks_of(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def read(body: bytes, size: int = 7) -> list[tuple[Section, str, Any]]:
    return [(one.section, one.filename, json.loads(one.text)) for one in read_members(chunks_of(body, size))]


@settings(deadline=None)
@given(
    packages=st.dictionaries(TEXTS, VALUES, max_size=4),
    conda=st.dictionaries(TEXTS, VALUES, max_size=4),
    v3=st.dictionaries(TEXTS, VALUES, max_size=4),
    other=VALUES,
    size=st.integers(1, 50),
    indent=st.sampled_from([None, 1]),
    is_ascii=st.booleans(),
)
def test_members_are_those_of_a_json_parser_whatever_the_chunks(
    packages: dict[str, Any],
    conda: dict[str, Any],
    v3: dict[str, Any],
    other: Any,
    size: int,
    indent: int | None,
    is_ascii: bool,
) -> None:
    sections = {
        "packages": packages,
        "packages.conda": conda,
        "v3": {"whl": other, "conda": v3, "tar.bz2": v3},
    }
    document = {"info": other, **sections, "removed": [other], "n": 12}
    body = json.dumps(document, indent=indent, ensure_ascii=is_ascii).encode()
    expected = [(Section.TAR_BZ2, *item) for item in packages.items()]
    expected += [(Section.CONDA, *item) for item in conda.items()]
    expected += [(Section.V3_CONDA, f"{key}.conda", value) for key, value in v3.items()]
    expected += [(Section.V3_TAR_BZ2, f"{key}.tar.bz2", value) for key, value in v3.items()]
    assert read(body, size) == expected


def test_text_is_exactly_what_was_written() -> None:
    out = io.BytesIO()
    rows = [IndexRow("a-1-0.tar.bz2", b'{"z":1,"a":[]}', b"{}"), IndexRow("a-1-0.conda", b'{"b":1e2}', b"{}")]
    write_repodata(out, "noarch", rows)
    assert list(read_members([out.getvalue()])) == [
        Member(Section.TAR_BZ2, "a-1-0.tar.bz2", '{"z":1,"a":[]}'),
        Member(Section.CONDA, "a-1-0.conda", '{"b":1e2}'),
    ]


@settings(deadline=None)
@given(size=st.integers(1, 20), cut=st.integers(0, 60))
def test_document_that_ends_early_is_refused(size: int, cut: int) -> None:
    body = b'{"info":{},"packages":{"a-1-0.tar.bz2":{"name":"a"}},"packages.conda":{}}'
    with pytest.raises(Invalid, match="not the JSON of an index"):
        read(body[: min(cut, len(body) - 1)], size)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"packages":[]}', b'{"packages":{1:2}}', b"{} {}", b'{"packages":{"a":\xff}}', b'{"a" 1}'],
)
def test_what_is_no_index_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid, match="not the JSON of an index"):
        read(body)


def test_memory_does_not_grow_with_the_document() -> None:
    """A document without end is read as long as anybody asks."""

    def endless() -> Iterator[bytes]:
        yield b'{"packages":{"a-0-0.tar.bz2":{}'
        number = 0
        while True:
            number += 1
            yield b',"a-%d-0.tar.bz2":{"size":%d}' % (number, number)

    members = read_members(endless())
    for number in range(10_000):
        assert next(members).filename == f"a-{number}-0.tar.bz2"
