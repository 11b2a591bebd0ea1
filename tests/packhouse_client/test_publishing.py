"""What is found out before an upload: projects packed, default channels, and where files will lie."""

import json
import os
import tarfile
from pathlib import Path

import pytest

from packhouse_client.configuration.sites import Site
from packhouse_client.detection import Finding, PackageType
from packhouse_client.errors import BadConfiguration, WrongUsage
from packhouse_client.publishing import projects
from packhouse_client.publishing.default_channel import channel_of, default_channel
from packhouse_client.publishing.files import Declared, LocalFile, Questions, prepared
from packhouse_client.publishing.projects import pack_project

SITE = Site("packhouse", "https://house.example", True, "a test")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    (folder / "data").mkdir(parents=True)
    (folder / "anaconda-project.yml").write_text("name: study\n")
    (folder / "data" / "table.csv").write_text("1,2\n")
    return folder


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as packed:
        found = {member.name: packed.extractfile(member) for member in packed}
        return {name: b"" if content is None else content.read() for name, content in found.items()}


def pack(project: Path, folder: Path) -> tuple[Path, list[str]]:
    folder.mkdir()
    left_out: list[str] = []
    return pack_project(project, folder, left_out.append), left_out


def test_project_is_packed_below_its_own_name(project: Path, tmp_path: Path) -> None:
    archive, _ = pack(project, tmp_path / "out")

    assert archive.name == "study.tar.gz"
    assert members(archive) == {
        "study/anaconda-project.yml": b"name: study\n",
        "study/data/table.csv": b"1,2\n",
    }


def test_same_project_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    first, _ = pack(project, tmp_path / "one")
    os.utime(project / "data/table.csv", (1, 1))
    second, _ = pack(project, tmp_path / "two")

    assert first.read_bytes() == second.read_bytes()


def test_links_are_not_followed_but_told(project: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("s3cret")
    (project / "link").symlink_to(secret / "key")
    (project / "folder").symlink_to(secret)

    archive, left_out = pack(project, tmp_path / "out")

    assert left_out == ["folder", "link"]
    assert not [name for name in members(archive) if "link" in name or "folder" in name]


@pytest.mark.parametrize(
    "path",
    [".git/config", "__pycache__/a.pyc", "envs/default/bin/python", "anaconda-project-local.yml"],
)
def test_what_is_no_part_of_a_project_stays_here(project: Path, tmp_path: Path, path: str) -> None:
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text("x")

    assert f"study/{path}" not in members(pack(project, tmp_path / "out")[0])


def test_environment_of_any_name_stays_here(project: Path, tmp_path: Path) -> None:
    (project / "mine" / "conda-meta").mkdir(parents=True)
    (project / "mine" / "python").write_text("x")

    assert "study/mine/python" not in members(pack(project, tmp_path / "out")[0])


@pytest.mark.parametrize("pattern", ["/data", "data/", "*.csv", "data/*.csv", "/data/table.csv"])
def test_project_names_what_stays_here(project: Path, tmp_path: Path, pattern: str) -> None:
    (project / ".projectignore").write_text(f"# mine\n\n{pattern}\n")

    assert "study/data/table.csv" not in members(pack(project, tmp_path / "out")[0])


def test_anchored_pattern_means_the_root_alone(project: Path, tmp_path: Path) -> None:
    (project / ".projectignore").write_text("/table.csv\n")

    assert "study/data/table.csv" in members(pack(project, tmp_path / "out")[0])


def test_project_with_too_many_files_is_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "MAX_FILES", 1)

    with pytest.raises(WrongUsage, match="more than 1 files"):
        pack(project, tmp_path / "out")


def ckey(filename: str, package_type: PackageType, **said: str) -> str | None:
    finding = Finding(package_type, said.pop("subdir", None))
    return LocalFile(filename, Path(filename), 1, finding, said.get("name"), said.get("version")).ckey


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ckey("z-1-0.conda", PackageType.CONDA, subdir="osx-64"), "osx-64/z-1-0.conda"),
        (ckey("z-1-0.conda", PackageType.CONDA), None),
        (ckey("n.ipynb", PackageType.NOTEBOOK), "jupyter/n.ipynb"),
        (ckey("n.ipynb", PackageType.NOTEBOOK, name="other"), "jupyter/other.ipynb"),
        (ckey("e.yml", PackageType.ENVIRONMENT), "env/e.yml"),
        (ckey("p.tar.gz", PackageType.PROJECT), "project/p.tar.gz"),
        (ckey("f.bin", PackageType.GENERAL, name="model", version="2"), "gra/model/2/f.bin"),
        (ckey("f.bin", PackageType.GENERAL, name="model"), "gra/model/f.bin"),
        (ckey("My_Lib-1-py3-none-any.whl", PackageType.WHEEL), "simple/my-lib/My_Lib-1-py3-none-any.whl"),
        (ckey("s.spdx.json", PackageType.SBOM), None),
    ],
)
def test_place_in_a_channel_is_known_beforehand(found: str | None, expected: str | None) -> None:
    assert found == expected


def test_all_files_that_cannot_be_published_are_named(tmp_path: Path) -> None:
    empty, good = tmp_path / "empty.conda", tmp_path / "n.ipynb"
    empty.touch()
    good.write_text(json.dumps({"nbformat": 4}))
    given = [str(tmp_path / "missing"), str(empty), str(tmp_path), str(good)]

    with pytest.raises(WrongUsage) as refused, prepared(given, Declared(), Questions(), print):
        pass

    lines = refused.value.message.splitlines()
    assert lines[0].endswith("missing'.")
    assert lines[1].endswith("empty.conda' is empty.")
    assert "without anaconda-project.yml" in lines[2]
    assert lines[3:] == ["Nothing was sent."]


def test_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with (
        pytest.raises(WrongUsage, match="no regular file"),
        prepared([str(tmp_path / "pipe")], Declared(), Questions(), print),
    ):
        pass


def test_archive_of_a_folder_is_gone_in_the_end(project: Path) -> None:
    with prepared([str(project)], Declared(), Questions(), print) as [file]:
        assert "study/data/table.csv" in members(file.path)

    assert not file.path.exists()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    for name in ("CONDARC", "CONDA_PREFIX", "CONDA_EXE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CONDA_ROOT", str(tmp_path / "root"))
    return home


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_first_of_the_default_channels_is_the_default(home: Path) -> None:
    path = write(home / ".condarc", "channels: [defaults]\ndefault_channels:\n  - web_devs\n  - snakes\n")

    assert default_channel(SITE) == ("web_devs", path)


def test_without_default_channels_there_is_no_default(home: Path) -> None:
    write(home / ".condarc", "channels: [snakes]\n")

    assert default_channel(SITE) is None


def test_file_that_conda_reads_later_wins(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [
        tmp_path / "root/.condarc",
        home / ".config/conda/condarc.d/a.yml",
        home / ".conda/.condarc",
        home / ".condarc",
        tmp_path / "prefix/.condarc",
        tmp_path / "named.yml",
    ]
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "prefix"))
    monkeypatch.setenv("CONDARC", str(tmp_path / "named.yml"))
    for number, place in enumerate(places):
        write(place, f"default_channels: [channel{number}]\n")
        assert default_channel(SITE) == (f"channel{number}", place)


@pytest.mark.parametrize(
    ("entry", "channel"),
    [
        ("data", "data"),
        ("data/stage", "data/stage"),
        ("https://house.example/api/repo/data", "data"),
        ("https://house.example/api/repo/data/stage/", "data/stage"),
        ("https://house.example/api/repo/t/abc-123/data", "data"),
        ("https://repo.anaconda.com/pkgs/main", None),
        ("https://house.example.evil/api/repo/data", None),
        ("defaults", None),
    ],
)
def test_entry_means_a_channel_of_this_site_or_none(entry: str, channel: str | None) -> None:
    assert channel_of(SITE, entry) == channel


def test_broken_condarc_is_named_with_a_way_out(home: Path) -> None:
    path = write(home / ".condarc", "default_channels: [unclosed\n")

    with pytest.raises(BadConfiguration, match="--channel") as refused:
        default_channel(SITE)
    assert str(path) in refused.value.message
