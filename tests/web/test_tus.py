"""What tus puts into headers: read as it was written, refused in a sentence, never an error of ours."""

import hashlib
from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.uploads import MAX_FILENAME_LENGTH, upload_filename
from packhouse.errors import ChecksumMismatch, Invalid
from packhouse.web.tus import CHECKSUM_ALGORITHMS, Checksum, read_metadata, write_metadata

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1)


@given(st.dictionaries(KEYS, st.text(st.characters(exclude_categories=["Cs"]))))
def test_metadata_are_read_as_they_were_written(pairs: dict[str, str]) -> None:
    assert read_metadata(write_metadata(pairs)) == pairs


@given(st.text())
def test_any_text_is_metadata_or_refused(text: str) -> None:
    with suppress(Invalid):
        read_metadata(text)


@pytest.mark.parametrize(
    ("text", "pairs"), [("", {}), ("key", {"key": ""}), ("a YQ==,b,c ", {"a": "a", "b": "", "c": ""})]
)
def test_value_may_be_left_out(text: str, pairs: dict[str, str]) -> None:
    assert read_metadata(text) == pairs


@given(st.text())
def test_any_text_is_a_checksum_or_refused(text: str) -> None:
    with suppress(Invalid, ChecksumMismatch):
        Checksum(text).check()


@given(st.sampled_from(CHECKSUM_ALGORITHMS), st.lists(st.binary()), st.binary(min_size=1))
def test_checksum_agrees_with_its_bytes_alone(algorithm: str, chunks: list[bytes], more: bytes) -> None:
    digest = b64encode(hashlib.new(algorithm, b"".join(chunks)).digest()).decode()
    checksum = Checksum(f"{algorithm} {digest}")
    for chunk in chunks:
        checksum.update(chunk)
    checksum.check()

    checksum.update(more)
    with pytest.raises(ChecksumMismatch):
        checksum.check()


@given(st.text())
def test_file_name_is_one_that_a_column_and_a_path_can_hold(text: str) -> None:
    with suppress(Invalid):
        name = upload_filename(text)
        assert 0 < len(name) <= MAX_FILENAME_LENGTH
        assert not set(name) & set("/\\\0")
