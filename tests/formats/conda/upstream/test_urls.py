import pytest

from packhouse.errors import Invalid
from packhouse.formats.conda.upstream.urls import file_url, folder_url

INDEX = "https://upstream.example/channel/linux-64/repodata.json"
FOLDER = "https://upstream.example/channel/linux-64/"


@pytest.mark.parametrize(
    ("told", "folder"),
    [
        (None, FOLDER),
        ("", FOLDER),
        (".", FOLDER),
        ("./shards/", FOLDER + "shards/"),
        ("shards", FOLDER + "shards/"),
        ("../files", "https://upstream.example/channel/files/"),
        ("/files/", "https://upstream.example/files/"),
        ("//files.example/x", "https://files.example/x/"),
        ("http://files.example:8080/x/", "http://files.example:8080/x/"),
    ],
)
def test_folder_is_read_from_where_the_index_lies(told: str | None, folder: str) -> None:
    assert folder_url(INDEX, told) == folder


def test_folder_of_a_channel_on_disk() -> None:
    assert (
        folder_url("file:///srv/channel/noarch/repodata.json", "shards")
        == "file:///srv/channel/noarch/shards/"
    )


@pytest.mark.parametrize(
    "told",
    [
        "file:///etc/",
        "ftp://files.example/",
        "javascript:alert(1)",
        "data:,x",
        "http:///x",
        "https://user:secret@files.example/",
        "https://files.example/?key=1",
        "https://files.example/#part",
        "https://files.example:port/",
        "https://[::1/",
        "https://files.example/a b",
        "https://files.example/ä",
        "https://files.example\\@other.example/",
        "x" * 3000,
        5,
        ["https://files.example/"],
    ],
)
def test_address_that_leads_nowhere_good_is_refused(told: object) -> None:
    with pytest.raises(
        Invalid, match=r"^https://upstream\.example/channel/linux-64/repodata\.json: its base URL"
    ):
        folder_url(INDEX, told)


@pytest.mark.parametrize("told", ["file://server/share/", "file:///srv/?x"])
def test_file_on_another_computer_is_refused(told: str) -> None:
    with pytest.raises(Invalid):
        folder_url("file:///srv/channel/noarch/repodata.json", told)


def test_epoch_and_local_version_stand_as_clients_ask_for_them() -> None:
    assert file_url(FOLDER, "a-1!2.0+b-0.conda") == FOLDER + "a-1!2.0+b-0.conda"


def test_what_would_end_a_path_is_escaped() -> None:
    assert file_url(FOLDER, "a?b#c-1-0.conda") == FOLDER + "a%3Fb%23c-1-0.conda"
