"""The words for families of artifacts, and where the files of each lie."""

import pytest

from packhouse.domain.channels import RESERVED_SUBCHANNEL_NAMES
from packhouse.domain.families import FILE_TYPES, FOLDERS, NOT_YET, Declared, declared_in, family_of
from packhouse.errors import Invalid
from packhouse.formats.reading import READERS


@pytest.mark.parametrize(
    ("filetype", "family"),
    [
        ("conda1", "conda"),
        ("jupyter_notebook", "notebook"),
        ("anaconda_env", "anaconda_env"),
        ("anaconda_project", "anaconda_project"),
        ("gra_file", "gra"),
    ],
)
def test_words_of_existing_clients_have_their_family(filetype: str, family: str) -> None:
    assert family_of(filetype) == family


def test_every_family_has_a_reader() -> None:
    assert set(FILE_TYPES.values()) == set(READERS) == {"conda", *FOLDERS}


def test_no_subchannel_can_stand_where_a_folder_does() -> None:
    assert set(FOLDERS.values()) <= RESERVED_SUBCHANNEL_NAMES


def test_what_comes_later_is_not_taken_now() -> None:
    assert not set(NOT_YET) & set(FILE_TYPES)


def test_upload_that_names_no_type_is_a_conda_package() -> None:
    assert declared_in({}) == Declared("conda") == declared_in({"filetype": ""})


def test_fields_left_empty_are_as_if_left_out() -> None:
    assert declared_in({"filetype": "env", "name": "", "version": ""}) == Declared("anaconda_env", None, None)


def test_unknown_type_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(
        Invalid, match=r"'floppy' are not taken\. Files of these types are: conda, conda1, jup"
    ):
        family_of("floppy")


def test_endless_type_is_cut_in_the_refusal() -> None:
    with pytest.raises(Invalid) as caught:
        family_of("x" * 10_000)
    assert len(caught.value.message) < 300
