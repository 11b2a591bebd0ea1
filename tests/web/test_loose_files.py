"""Notebooks, environments, projects and general artifacts over HTTP: sent, listed, fetched, and in no index."""

import hashlib

import pytest

from packhouse.domain.channels import Privacy
from tests.house import House
from tests.loose_files import (
    FAMILIES,
    FILES,
    notebook,
    project,
    publish_all,
    publish_file,
    upload_file,
    zipped,
)
from tests.web.conftest import People
from tests.web.forms import assert_refused

EVERY_FILE = pytest.mark.parametrize("ckey", FILES)
STORED_TYPES = {
    "jupyter/sums.ipynb": "ipynb",
    "env/analysis.yml": "anaconda_env",
    "project/survey.tar.gz": "anaconda_project",
    "gra/model/1.0/weights.bin": "gra",
}


@pytest.fixture
def lab(house: House) -> House:
    """Channel `lab` with one file of each family."""
    house.channel("lab")
    publish_all(house, "lab")
    return house


# --- upload -----------------------------------------------------------------------------------


@EVERY_FILE
def test_upload_answers_with_the_file(any_house: House, ckey: str) -> None:
    any_house.channel("lab")
    filename, data, fields = FILES[ckey]

    answer = upload_file(any_house, "lab", filename, data, any_house.session("admin"), **fields)

    assert answer.status == 201, answer.body
    document = answer.json()
    family, name = FAMILIES[ckey]
    assert (document["ckey"], document["family"], document["name"]) == (ckey, family, name)
    assert document["type"] == STORED_TYPES[ckey]
    assert document["size"] == len(data)
    assert document["url"] == f"http://packhouse.test/api/repo/lab/{ckey}"
    metadata = document["metadata"]
    assert metadata["sha256"] == hashlib.sha256(data).hexdigest()
    assert (metadata["name"], metadata["fn"]) == (name, filename)
    assert metadata["version"] == fields.get("version", "")


@pytest.mark.parametrize(
    ("ckey", "word"),
    [
        ("jupyter/sums.ipynb", "ipynb"),
        ("env/analysis.yml", "env"),
        ("project/survey.tar.gz", "project"),
        ("gra/model/1.0/weights.bin", "gra"),
    ],
)
def test_words_of_the_command_line_are_understood(house: House, admin: str, ckey: str, word: str) -> None:
    house.channel("lab")
    filename, data, fields = FILES[ckey]

    answer = upload_file(house, "lab", filename, data, admin, **{**fields, "filetype": word})

    assert answer.json()["ckey"] == ckey


@EVERY_FILE
def test_same_bytes_again_are_200_and_others_409(lab: House, admin: str, ckey: str) -> None:
    filename, data, fields = FILES[ckey]
    other = {
        "jupyter/sums.ipynb": notebook(nbformat_minor=4),
        "project/survey.tar.gz": project(folder=""),
    }.get(ckey, data + b"\n")

    again = upload_file(lab, "lab", filename, data, admin, **fields)
    changed = upload_file(lab, "lab", filename, other, admin, **fields)

    assert again.status == 200
    assert_refused(changed, 409, "conflict", f"'{ckey}' is already in channel 'lab'")


def test_general_artifact_without_a_name_is_refused(house: House, admin: str) -> None:
    house.channel("lab")

    answer = upload_file(house, "lab", "weights.bin", b"x", admin, filetype="gra_file")

    assert_refused(answer, 400, "invalid", "needs a name: send it in the field 'name'")


@pytest.mark.parametrize(
    ("filetype", "says"),
    [
        ("bdist_wheel", "Python packages ('bdist_wheel') are not taken by this server yet."),
        ("sdist", "Python packages ('sdist') are not taken by this server yet."),
        ("cran", "R packages ('cran') are not taken by this server yet."),
        ("sbom", "SBOMs ('sbom') are not taken by this server yet."),
        ("floppy", "Files of type 'floppy' are not taken. Files of these types are: conda, conda1,"),
    ],
)
def test_types_that_are_not_taken_are_refused_in_words(
    house: House, admin: str, filetype: str, says: str
) -> None:
    house.channel("lab")

    answer = upload_file(house, "lab", "a-1.0.tar.gz", b"x", admin, filetype=filetype)

    assert_refused(answer, 400, "invalid", says)


@pytest.mark.parametrize(
    ("filetype", "filename", "data"),
    [
        ("jupyter_notebook", "a.ipynb", b"{}"),
        ("anaconda_env", "a.yml", b"- a"),
        ("anaconda_project", "a.zip", zipped({"a.txt": b"a"})),
    ],
)
def test_file_that_is_not_what_it_is_sent_as_is_refused(
    house: House, admin: str, filetype: str, filename: str, data: bytes
) -> None:
    house.channel("lab")

    assert_refused(
        upload_file(house, "lab", filename, data, admin, filetype=filetype), 400, "invalid", filename
    )
    assert house.request("GET", "/api/channels/lab").json()["artifact_count"] == 0


# --- listings ---------------------------------------------------------------------------------


def test_packages_of_every_family_are_listed_and_counted(any_house: House) -> None:
    any_house.channel("lab")
    publish_all(any_house, "lab")
    any_house.publish("lab", "demo")

    listed = any_house.request("GET", "/api/channels/lab/artifacts").json()

    found = {(item["family"], item["name"]) for item in listed["items"]}
    assert found == {*FAMILIES.values(), ("conda", "demo")}
    assert any_house.request("GET", "/api/channels/lab").json()["artifact_count"] == 5


def test_package_without_versions_and_platforms_has_none(lab: House) -> None:
    [package] = lab.request("GET", "/api/channels/lab/artifacts?artifact_family=notebook").json()["items"]

    assert package["available_versions"] == []
    assert package["metadata"] == {
        "name": "sums",
        "version": "",
        "subdirs": [],
        "summary": "Sums",
        "title": "Sums",
        "kernel": "python3",
        "language": "python",
        "language_version": "3.11.4",
        "nbformat": 4,
    }


def test_versions_of_a_general_artifact_are_listed_newest_first(lab: House) -> None:
    for version in ("1.10", "1.9"):
        publish_file(lab, "lab", "weights.bin", b"x", filetype="gra", name="model", version=version)

    [package] = lab.request("GET", "/api/channels/lab/artifacts?family=gra").json()["items"]

    assert package["available_versions"] == ["1.10", "1.9", "1.0"]
    assert (package["file_count"], package["metadata"]["version"]) == (3, "1.10")


@EVERY_FILE
def test_files_of_a_package_are_listed(lab: House, ckey: str) -> None:
    family, name = FAMILIES[ckey]

    listed = lab.request("GET", f"/api/channels/lab/artifacts/{family}/{name}/files").json()

    assert [item["ckey"] for item in listed["items"]] == [ckey]


def test_search_finds_names_in_any_case(any_house: House) -> None:
    any_house.channel("lab")
    publish_file(any_house, "lab", "MySums.ipynb", notebook(), filetype="ipynb")

    for text in ("mysums", "MYSUMS", "Sum"):
        found = any_house.request("GET", f"/api/artifacts?q={text}").json()
        assert [item["name"] for item in found["items"]] == ["MySums"]


def test_platform_filter_leaves_out_what_has_none(lab: House) -> None:
    assert lab.request("GET", "/api/channels/lab/artifacts?platform=noarch").json()["items"] == []


# --- content ----------------------------------------------------------------------------------


@EVERY_FILE
def test_file_is_served_to_anybody_on_a_public_channel(any_house: House, ckey: str) -> None:
    any_house.channel("lab")
    any_house.channel("lab/stage")
    for channel in ("lab", "lab/stage"):
        publish_all(any_house, channel)
        answer = any_house.request("GET", f"/api/repo/{channel}/{ckey}")
        assert answer.status == 200
        assert answer.body == FILES[ckey][1]
        assert answer.headers["content-type"] == "application/octet-stream"


@EVERY_FILE
def test_head_tells_the_digest_and_counts_no_download(lab: House, ckey: str) -> None:
    data = FILES[ckey][1]

    answer = lab.request("HEAD", f"/api/repo/lab/{ckey}")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert answer.headers["content-length"] == str(len(data))
    assert downloads(lab, ckey) == (0, 0, 0)


def test_head_of_a_conda_package_tells_its_digest_and_counts_no_download(house: House) -> None:
    house.channel("lab")
    entry = house.publish("lab", "demo")

    answer = house.request("HEAD", f"/api/repo/lab/{entry.artifact.ckey}")

    assert answer.headers["etag"] == f'"{entry.artifact.digests.sha256}"'
    house.downloads.flush()
    assert house.request("GET", "/api/channels/lab").json()["download_count"] == 0


@EVERY_FILE
def test_conditions_and_ranges_are_kept(lab: House, ckey: str) -> None:
    address = f"/api/repo/lab/{ckey}"
    etag = lab.request("HEAD", address).headers["etag"]

    unchanged = lab.request("GET", address, headers={"if-none-match": etag})
    part = lab.request("GET", address, headers={"range": "bytes=2-5"})

    assert (unchanged.status, unchanged.body) == (304, b"")
    assert (part.status, part.body) == (206, FILES[ckey][1][2:6])


@EVERY_FILE
def test_downloads_are_counted(lab: House, ckey: str) -> None:
    lab.request("GET", f"/api/repo/lab/{ckey}")

    assert downloads(lab, ckey) == (1, 1, 1)


def downloads(house: House, ckey: str) -> tuple[int, int, int]:
    """Of the file, its package and the channel."""
    house.downloads.flush()
    family, name = FAMILIES[ckey]
    [file] = house.request("GET", f"/api/channels/lab/artifacts/{family}/{name}/files").json()["items"]
    [package] = house.request("GET", f"/api/channels/lab/artifacts?family={family}").json()["items"]
    channel = house.request("GET", "/api/channels/lab").json()
    return file["download_count"], package["download_count"], channel["download_count"]


@EVERY_FILE
def test_file_of_a_private_channel_is_hidden_from_those_without_rights(
    house: House, people: People, ckey: str
) -> None:
    people.channel("lab", Privacy.PRIVATE)
    publish_all(house, "lab")
    address = f"/api/repo/lab/{ckey}"

    assert house.request("GET", address, people["reader"]).status == 200
    assert_refused(house.request("GET", address), 401, "auth_required")
    assert_refused(house.request("GET", address, people["stranger"]), 404, "not_found", "Channel 'lab'")


@pytest.mark.parametrize(
    "rest",
    [
        "jupyter/none.ipynb",
        "jupyter",
        "gra/model",
        "gra/model/1.0",
        "env/sub/analysis.yml",
        "gra/repodata.json",
    ],
)
def test_address_of_no_file_is_404(lab: House, rest: str) -> None:
    assert_refused(lab.request("GET", f"/api/repo/lab/{rest}"), 404, "not_found", rest)


def test_general_artifact_may_be_called_like_an_index_or_a_shard(house: House) -> None:
    """Its folder keeps it apart from what conda's clients ask for."""
    house.channel("lab")
    shard = f"{'0' * 64}.msgpack.zst"
    for name, filename in (("shards", shard), ("noarch", "repodata.json"), ("x", "channeldata.json")):
        publish_file(house, "lab", filename, name.encode(), filetype="gra", name=name)
        assert house.request("GET", f"/api/repo/lab/gra/{name}/{filename}").body == name.encode()

    assert house.request("GET", "/api/repo/lab/noarch/repodata.json").json()["packages.conda"] == {}


# --- indexes ----------------------------------------------------------------------------------


def test_files_are_in_no_index_and_make_no_subdir(any_house: House) -> None:
    any_house.channel("lab")
    any_house.publish("lab", "demo", subdir="linux-64")
    any_house.reindex_all()
    before = _indexes(any_house)

    publish_all(any_house, "lab")
    publish_file(any_house, "lab", "demo-2.0-0.conda", b"x", filetype="gra", name="demo")
    any_house.reindex_all()

    assert _indexes(any_house) == before
    for folder in ("jupyter", "env", "project", "gra"):
        assert any_house.request("GET", f"/api/repo/lab/{folder}/repodata.json").status == 404


def _indexes(house: House) -> dict[str, bytes]:
    names = ("repodata.json", "current_repodata.json", "run_exports.json", "repodata_shards.msgpack.zst")
    found = {
        address: house.request("GET", f"/api/repo/lab/{address}")
        for address in ["channeldata.json", *(f"linux-64/{name}" for name in names)]
    }
    assert {answer.status for answer in found.values()} == {200}
    return {address: answer.body for address, answer in found.items()}


def test_channeldata_tells_of_conda_subdirs_alone(house: House) -> None:
    house.channel("lab")
    publish_all(house, "lab")
    house.publish("lab", "demo", subdir="linux-64")
    house.reindex_all()

    channeldata = house.request("GET", "/api/repo/lab/channeldata.json").json()

    assert channeldata["subdirs"] == ["linux-64", "noarch"]
    assert list(channeldata["packages"]) == ["demo"]
