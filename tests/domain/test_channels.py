"""Which names a channel may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.channels import MAX_NAME_LENGTH, NAME_PATTERN, ChannelPath
from packhouse.errors import Invalid


@pytest.mark.parametrize("text", ["lab", "a", "lab-1_x", "lab/stage", "x" * 60])
def test_path_of_allowed_names_is_read_and_written_alike(text: str) -> None:
    assert str(ChannelPath.parse(text)) == text


def test_subchannel_knows_its_parent() -> None:
    assert ChannelPath.parse("lab/stage") == ChannelPath(name="stage", parent="lab")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "lab/",
        "/lab",
        "a/b/c",
        "Lab",
        "1lab",
        "-lab",
        "la b",
        "lab\n",
        "..",
        "lab/..",
        "läb",
        "x" * 61,
    ],
)
def test_path_of_other_characters_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        ChannelPath.parse(text)


@pytest.mark.parametrize(
    "text", ["channels", "account", "artifacts", "repo", "t", "organizations", "lab/noarch", "lab/simple"]
)
def test_name_that_an_address_of_the_server_needs_is_reserved(text: str) -> None:
    with pytest.raises(Invalid, match="reserved"):
        ChannelPath.parse(text).check_free()


@pytest.mark.parametrize("subdir", ["linux-64", "osx-arm64", "win-64", "linux-aarch64", "emscripten-wasm32"])
def test_subchannel_named_as_a_platform_is_reserved(subdir: str) -> None:
    with pytest.raises(Invalid, match="reserved"):
        ChannelPath.parse(f"lab/{subdir}").check_free()


@pytest.mark.parametrize("text", ["linux-64", "noarch", "lab/stage", "lab/channels", "lab/linux", "simple"])
def test_name_that_hides_nothing_is_free(text: str) -> None:
    ChannelPath.parse(text).check_free()


names = st.from_regex(NAME_PATTERN, fullmatch=True).filter(lambda name: len(name) <= MAX_NAME_LENGTH)


@given(names, st.none() | names)
def test_every_path_survives_being_written_and_read(name: str, parent: str | None) -> None:
    path = ChannelPath(name, parent)

    assert ChannelPath.parse(str(path)) == path


@given(st.text())
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = ChannelPath.parse(text)
    except Invalid:
        return
    assert str(path) == text
