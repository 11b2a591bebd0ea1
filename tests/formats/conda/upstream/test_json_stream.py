import io
import json
import math
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.errors import Invalid, TooLarge
from packhouse.formats.conda.upstream.json_stream import DEEPEST, LARGEST_VALUE, JsonStream


def stream(text: str | bytes, step: int = 1_000_000) -> JsonStream:
    source = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return JsonStream(lambda size: source.read(min(size, step)))


def read_members(text: str | bytes, step: int = 1_000_000) -> dict[str, Any]:
    read = stream(text, step)
    found = {key: read.value() for key in read.members()}
    read.finish()
    return found


texts = st.text(st.characters(codec="utf-8"), max_size=8) | st.text('\\"{}[]:, \n', max_size=8)
numbers = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
dumps: st.SearchStrategy[Callable[[Any], str]] = st.sampled_from(
    [
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        lambda value: json.dumps(value, indent="\t \r\n"),
    ]
)


@given(st.dictionaries(texts, values, max_size=5), dumps, st.integers(1, 9))
def test_members_are_those_of_the_document_however_it_is_written_and_arrives(
    document: dict[str, Any], dump: Callable[[Any], str], step: int
) -> None:
    assert read_members(dump(document), step) == document


@given(st.lists(values, max_size=5), dumps, st.integers(1, 9))
def test_elements_are_those_of_the_array(document: list[Any], dump: Callable[[Any], str], step: int) -> None:
    read = stream(dump(document), step)

    assert list(read.elements()) == document
    read.finish()


@given(st.dictionaries(texts, values, max_size=5), st.integers(1, 9))
def test_skipping_leads_to_the_same_end(document: dict[str, Any], step: int) -> None:
    read = stream(json.dumps({"first": document, "second": list(document), "third": 1}), step)

    for _ in read.members():
        read.skip()
    read.finish()


@given(st.dictionaries(texts, values, max_size=4), st.data())
def test_what_is_cut_off_is_refused(document: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(document).encode()
    length = data.draw(st.integers(0, len(text) - 1))

    with pytest.raises(Invalid):
        read_members(text[:length], step=5)


@given(st.text('{}[]",:\\ tnu1e-', max_size=20), st.integers(1, 5))
def test_what_is_not_json_is_refused_and_what_is_is_read(text: str, step: int) -> None:
    try:
        expected = json.loads(text)
    except json.JSONDecodeError:
        expected = None
    if isinstance(expected, dict) and all(map(math.isfinite, _numbers(expected))):
        assert read_members(text, step) == expected
    else:
        with pytest.raises(Invalid):
            read_members(text, step)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [number for one in inner for number in _numbers(one)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize("text", ['{"a": "}}}}}}}}}}"}', '{"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}}'])
def test_end_that_was_guessed_wrong_is_measured(text: str) -> None:
    assert stream(text).value() == json.loads(text)


def test_value_larger_than_a_step_is_read_whole() -> None:
    document = {"long": ["x" * 1000] * 5_000, "after": 1}

    assert read_members(json.dumps(document), step=300_000) == document


@pytest.mark.parametrize("begin", ['["', "1"])
def test_value_without_bound_is_too_large(begin: str) -> None:
    pieces = chain([begin.encode()], repeat(b"1" * 1024 * 1024))

    with pytest.raises(TooLarge, match=str(LARGEST_VALUE)):
        JsonStream(lambda size: next(pieces)).value()


def test_blanks_without_end_take_no_memory() -> None:
    left = 40

    def read(size: int) -> bytes:
        nonlocal left
        left -= 1
        assert size <= 2 * 1024 * 1024
        return b" " * size if left > 0 else b"" if left < 0 else b"{}"

    assert JsonStream(read).value() == {}


@pytest.mark.parametrize("nested", ["[" * 5000, '{"a":' * 5000, "[" * 5000 + "]" * 5000])
def test_bottomless_nesting_is_refused(nested: str) -> None:
    with pytest.raises(Invalid, match=rf"{DEEPEST} levels|middle of a value"):
        stream(nested + "}]" * 5).value()


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "01", "+1", "1."])
def test_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(Invalid):
        read_members(f'{{"a":{number}}}')


def test_fault_is_told_by_place_and_text() -> None:
    with pytest.raises(Invalid, match=r"^at byte 10 it needs ',' or '}', and has '\"b\":2}'$"):
        read_members('{"a":   1 "b":2}')


def test_end_too_early_is_told_by_place() -> None:
    with pytest.raises(Invalid, match=r"^it ends at byte 7, where it needs ',' or '}'$"):
        read_members('{"a":1 ')
