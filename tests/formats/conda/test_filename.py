"""File names of conda packages: what CEP 26 allows comes apart, all else is refused."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packhouse.errors import InvalidPackage
from packhouse.formats.conda.filename import CondaFilename, is_subdir, name_within, split_filename

NAMES = st.from_regex(r"_?[a-z0-9]{1,12}([._-][a-z0-9]{1,12}){0,3}", fullmatch=True)
VERSIONS = st.from_regex(
    r"([1-9]!)?[0-9]{1,4}(\.[0-9]{1,4}){0,3}((a|b|rc|\.post)[0-9])?(\+[a-z0-9]{1,8})?", fullmatch=True
)
BUILDS = st.from_regex(r"[A-Za-z0-9_.+]{1,64}", fullmatch=True)
EXTENSIONS = st.sampled_from([".conda", ".tar.bz2"])


@given(NAMES, VERSIONS, BUILDS, EXTENSIONS)
def test_what_was_put_together_comes_apart(name: str, version: str, build: str, extension: str) -> None:
    parts = split_filename(f"{name}-{version}-{build}{extension}")
    assert (parts.name, parts.version, parts.build, parts.extension) == (name, version, build, extension)
    assert str(parts) == f"{name}-{version}-{build}{extension}"


@given(st.text())
@example("a-1-0.conda\n")
def test_any_text_is_split_or_refused(text: str) -> None:
    try:
        parts = split_filename(text)
    except InvalidPackage:
        return
    assert str(parts) == text


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("_r-mutex-1.0.1-anacondar_1.tar.bz2", CondaFilename("_r-mutex", "1.0.1", "anacondar_1", ".tar.bz2")),
        ("_libgcc_mutex-0.1-main.conda", CondaFilename("_libgcc_mutex", "0.1", "main", ".conda")),
        ("numpy-1.26.4-py312heda63a1_0.conda", CondaFilename("numpy", "1.26.4", "py312heda63a1_0", ".conda")),
        ("ca-certificates-2024.7.4-0.conda", CondaFilename("ca-certificates", "2024.7.4", "0", ".conda")),
        ("tzdata-2023c-h71feb2d_0.conda", CondaFilename("tzdata", "2023c", "h71feb2d_0", ".conda")),
        ("pkg-1!2.0+local-0.conda", CondaFilename("pkg", "1!2.0+local", "0", ".conda")),
    ],
)
def test_real_names_are_accepted(filename: str, expected: CondaFilename) -> None:
    assert split_filename(filename) == expected


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-0.zip",
        "demo-1.0-0.CONDA",
        "demo-1.0.conda",
        ".conda",
        "-1.0-0.conda",
        "demo--0.conda",
        "demo-1.0-.conda",
        "Demo-1.0-0.conda",
        "__demo-1.0-0.conda",
        "de..mo-1.0-0.conda",
        "-demo-1.0-0.conda",
        "démo-1.0-0.conda",
        "../demo-1.0-0.conda",
        "noarch/demo-1.0-0.conda",
        "de\\mo-1.0-0.conda",
        "demo-1.0-0\n.conda",
        "demo-1.0-0.conda\0.conda",
        "demo-1.*-0.conda",
        "demo-1..2-0.conda",
        "demo-1.0-0 1.conda",
        f"{'d' * 65}-1.0-0.conda",
        f"demo-{'1' * 65}-0.conda",
        f"demo-1.0-{'0' * 65}.conda",
        f"demo-{'1.' * 100}0-0.conda",
    ],
)
def test_names_that_clients_would_not_take_are_refused(filename: str) -> None:
    with pytest.raises(InvalidPackage):
        split_filename(filename)


def test_the_longest_parts_are_accepted() -> None:
    parts = split_filename(f"{'n' * 64}-{'1.' * 31}11-{'b' * 64}.conda")
    assert (len(parts.name), len(parts.version), len(parts.build)) == (64, 64, 64)


@pytest.mark.parametrize("text", ["noarch", "linux-64", "osx-arm64", "win-64", "emscripten-wasm32"])
def test_subdirs_of_channels_are_known(text: str) -> None:
    assert is_subdir(text)


@pytest.mark.parametrize(
    "text",
    ["", "linux", "Linux-64", "linux-64/", "linux-64-2", "../64", "linux_64", "noarch\n", f"{'a' * 32}-64"],
)
def test_other_texts_are_no_subdirs(text: str) -> None:
    assert not is_subdir(text)


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("r-base-4.3-h1_0.conda", "r-base"),
        ("zlib-1.3-h1_0.whatever", "zlib"),
        ("zlib-1.3.conda", None),
        ("../zlib-1.3-0.conda", None),
        ("Zlib-1.3-0.conda", None),
        (f"{'z' * 65}-1.3-0.conda", None),
        ("", None),
    ],
)
def test_name_within_a_file_name_is_one_that_a_package_can_have(filename: str, name: str | None) -> None:
    assert name_within(filename) == name
