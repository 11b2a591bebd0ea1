"""Notebooks: what is one, what is told of it, and what is refused."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.families import NOTEBOOK, Declared
from packhouse.errors import Invalid, InvalidPackage, TooLarge
from packhouse.formats.files import notebook as module
from packhouse.formats.files.notebook import read_notebook
from tests.formats.files.conftest import Read
from tests.loose_files import notebook


def test_notebook_is_named_after_its_file(read: Read) -> None:
    facts = read(NOTEBOOK, "sums.ipynb", notebook())

    assert (facts.family, facts.name, facts.version) == ("notebook", "sums", "")
    assert facts.ckey == "jupyter/sums.ipynb"


def test_name_and_version_that_are_given_count(read: Read) -> None:
    facts = read(NOTEBOOK, "sums.ipynb", notebook(), name="other", version="2")

    assert (facts.name, facts.version, facts.ckey) == ("other", "2", "jupyter/other.ipynb")


def test_metadata_tells_title_kernel_and_language(read: Read) -> None:
    assert read(NOTEBOOK, "sums.ipynb", notebook()).about == {
        "summary": "Sums",
        "title": "Sums",
        "kernel": "python3",
        "language": "python",
        "language_version": "3.11.4",
        "nbformat": 4,
    }


def test_summary_without_a_title_is_the_kernel(read: Read) -> None:
    metadata = {"kernelspec": {"display_name": "R 4.3"}}

    assert read(NOTEBOOK, "sums.ipynb", notebook(metadata=metadata)).about["summary"] == "R 4.3"


@pytest.mark.parametrize("number", [b"1e999", b"9" * 6_000], ids=["float", "integer"])
def test_number_that_cannot_be_held_is_refused(read: Read, number: bytes) -> None:
    with pytest.raises(InvalidPackage, match=r"sums\.ipynb is no notebook: .* out of range"):
        read(NOTEBOOK, "sums.ipynb", b'{"nbformat": 4, "metadata": {"x": %s}}' % number)


@pytest.mark.parametrize("metadata", [{}, {"kernelspec": 1, "title": ["x"], "language_info": None}])
def test_metadata_of_odd_shape_is_passed_over(read: Read, metadata: Any) -> None:
    assert read(NOTEBOOK, "sums.ipynb", notebook(metadata=metadata)).about == {"nbformat": 4}


def test_title_is_made_fit_to_be_shown(read: Read) -> None:
    metadata = {"title": "a\0b\n\x1b[31mred\u202e" + "x" * 5_000}

    title = read(NOTEBOOK, "sums.ipynb", notebook(metadata=metadata)).about["title"]

    assert title.startswith("a b [31mred xxx")
    assert len(title) == 500


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"nbformat": "4"}',
        b'{"nbformat": 4.5}',
        b'{"nbformat": 4',
        b'{"nbformat": 4} {}',
        b'{"nbformat": 4, "metadata": []}',
        b'{"nbformat": 4, "cells": "\xff"}',
        b"\x1f\x8b",
        b'{"nbformat": 4, "cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"nbformat": 4, "metadata": {"a":' * 5_000,
    ],
    ids=lambda data: repr(data[:30]),
)
def test_what_is_no_notebook_is_refused(read: Read, data: bytes) -> None:
    with pytest.raises(InvalidPackage, match=r"sums\.ipynb is no notebook"):
        read(NOTEBOOK, "sums.ipynb", data)


def test_notebooks_older_than_format_3_are_refused(read: Read) -> None:
    with pytest.raises(InvalidPackage, match="format 2 are not taken; open it in Jupyter"):
        read(NOTEBOOK, "old.ipynb", notebook(nbformat=2))


def test_notebook_beyond_the_limit_is_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1024**2)

    with pytest.raises(TooLarge, match="at most 1 MiB"):
        read(NOTEBOOK, "sums.ipynb", notebook(cells="x" * 1024**2))


def test_metadata_beyond_the_limit_is_refused(read: Read) -> None:
    with pytest.raises(TooLarge, match="metadata has more than 256 KiB"):
        read(NOTEBOOK, "sums.ipynb", notebook(metadata={"a": "x" * 300_000}))


@given(
    st.dictionaries(
        st.sampled_from(["nbformat", "metadata", "cells"]),
        st.recursive(
            st.none() | st.integers() | st.text() | st.booleans(),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["title", "kernelspec", "name"]), inner)
            ),
        ),
    )
)
def test_any_json_is_read_or_refused(document: Any) -> None:
    _read_or_refuse(json.dumps(document).encode())


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _read_or_refuse(data)


def _read_or_refuse(data: bytes) -> None:
    try:
        facts = read_notebook(io.BytesIO(data), "sums.ipynb", Declared(NOTEBOOK))
    except Invalid:
        return
    assert json.dumps(facts.about)
