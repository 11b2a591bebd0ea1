"""`file://`: a folder of the settings is a source like any other, and no way leads out of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from packhouse.errors import TooLarge, UpstreamAnswered, UpstreamLied, UpstreamRefused, UpstreamUnreachable
from packhouse.remotes import Pace, Remotes
from packhouse.settings import Settings
from packhouse.storage.blobs import PartialFile
from tests.remotes.asking import CONTENT, fetch_one, get, request


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "usb stick"
    (folder / "noarch").mkdir(parents=True)
    (folder / "noarch" / "repodata.json").write_bytes(CONTENT)
    (folder / "noarch" / "zlib-1.3-0.conda").write_bytes(CONTENT)
    return folder


@pytest.fixture
def remotes(tmp_path: Path, media: Path) -> Iterator[Remotes]:
    settings = Settings(data_dir=tmp_path / "data", file_upstreams=[media])
    remotes = Remotes(settings, Pace(first_seconds=0.001))
    yield remotes
    remotes.close()


@pytest.fixture
def url(media: Path) -> str:
    return f"{media.as_uri()}/noarch"


def test_document_is_read_once_until_it_changes(remotes: Remotes, media: Path, url: str) -> None:
    first, body = get(remotes, f"{url}/repodata.json")
    again, nothing = get(remotes, f"{url}/repodata.json", first.validators)
    (media / "noarch" / "repodata.json").write_bytes(b"{}")
    changed, new = get(remotes, f"{url}/repodata.json", first.validators)

    assert (first.status, body) == (200, CONTENT)
    assert (again.status, again.transferred, nothing) == (304, 0, b"")
    assert (changed.status, new) == (200, b"{}")


def test_file_is_fetched_and_checked(remotes: Remotes, url: str) -> None:
    right = fetch_one(remotes, request(f"{url}/zlib-1.3-0.conda"))
    wrong = fetch_one(remotes, request(f"{url}/zlib-1.3-0.conda", sha256="0" * 64))

    assert right.body == CONTENT
    assert isinstance(wrong.error, UpstreamLied)


def test_file_goes_on_where_another_process_was_killed(remotes: Remotes, url: str, tmp_path: Path) -> None:
    asked = request(f"{url}/zlib-1.3-0.conda")
    assert asked.sha256 is not None
    (tmp_path / f"{asked.sha256}.part").write_bytes(CONTENT[:60_000])

    with PartialFile(tmp_path, asked.sha256) as target:
        outcome = fetch_one(remotes, request(asked.url, target=target))
        assert target.path.read_bytes() == CONTENT
    assert outcome.transferred == len(CONTENT) - 60_000


def test_file_shorter_than_what_is_there_is_a_lie(
    remotes: Remotes, media: Path, url: str, tmp_path: Path
) -> None:
    (media / "noarch" / "zlib-1.3-0.conda").write_bytes(b"short")
    (tmp_path / "short.part").write_bytes(CONTENT[:60_000])

    with PartialFile(tmp_path, "short") as target:
        outcome = fetch_one(remotes, request(f"{url}/zlib-1.3-0.conda", target=target))
    assert isinstance(outcome.error, UpstreamLied)


@pytest.mark.parametrize("name", ["nothing.json", "", "."])
def test_what_is_no_file_is_not_there(remotes: Remotes, url: str, name: str) -> None:
    assert get(remotes, f"{url}/{name}")[0].status == 404
    assert isinstance(fetch_one(remotes, request(f"{url}/{name}")).error, UpstreamAnswered)


def test_document_above_the_limit_is_too_large(remotes: Remotes, url: str) -> None:
    with pytest.raises(TooLarge):
        get(remotes, f"{url}/repodata.json", max_bytes=1000)


@pytest.mark.parametrize("way", ["../secret.json", "%2e%2e/secret.json", "noarch/../../secret.json"])
def test_path_that_leads_out_is_refused(remotes: Remotes, media: Path, way: str) -> None:
    (media.parent / "secret.json").write_text("secret")

    with pytest.raises(UpstreamRefused, match="file_upstreams"):
        get(remotes, f"{media.as_uri()}/{way}")


def test_symlink_that_leads_out_is_refused(remotes: Remotes, media: Path, url: str) -> None:
    secret = media.parent / "secret.json"
    secret.write_text("secret")
    (media / "noarch" / "link.json").symlink_to(secret)
    (media / "elsewhere").symlink_to(media.parent)

    for path in ("noarch/link.json", "elsewhere/secret.json"):
        with pytest.raises(UpstreamRefused, match=f"'{media}/{path}' lies in no folder"):
            get(remotes, f"{media.as_uri()}/{path}")


def test_symlink_that_stays_inside_is_followed(remotes: Remotes, media: Path, url: str) -> None:
    (media / "noarch" / "link.json").symlink_to("repodata.json")

    assert get(remotes, f"{url}/link.json")[1] == CONTENT


def test_symlinks_in_a_circle_and_names_that_cannot_be_are_refused(
    remotes: Remotes, media: Path, url: str
) -> None:
    (media / "a").symlink_to("b")
    (media / "b").symlink_to("a")

    for path in ("a", "%00"):
        with pytest.raises(UpstreamRefused):
            get(remotes, f"{media.as_uri()}/{path}")


def test_pipe_is_not_waited_for(remotes: Remotes, media: Path, url: str) -> None:
    os.mkfifo(media / "noarch" / "pipe.json")

    assert get(remotes, f"{url}/pipe.json")[0].status == 404


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The kernel opens this one for its process, and has nothing to read at its start."""
    remotes = Remotes(Settings(data_dir=tmp_path, file_upstreams=[Path("/proc/self")]))

    with pytest.raises(UpstreamUnreachable, match="mem' cannot be read"):
        get(remotes, "file:///proc/self/mem")
    remotes.close()


def test_no_folder_is_read_unless_the_settings_name_one(tmp_path: Path, url: str) -> None:
    remotes = Remotes(Settings(data_dir=tmp_path))

    with pytest.raises(UpstreamRefused, match="file_upstreams"):
        get(remotes, f"{url}/repodata.json")
    remotes.close()
