"""What a content address names, and that nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.web.protocols.conda_urls import Target, content_path, parse_target

SHA256 = "ab" * 32


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("tools/noarch/repodata.json", Target("tools", "noarch", "repodata.json")),
        ("tools/linux-64/a-1-0.conda", Target("tools", "linux-64", "a-1-0.conda")),
        ("tools/stage/linux-64/a-1-0.conda", Target("tools/stage", "linux-64", "a-1-0.conda")),
        ("tools/channeldata.json", Target("tools", "", "channeldata.json")),
        ("tools/stage/channeldata.json", Target("tools/stage", "", "channeldata.json")),
        ("t/secret/tools/noarch/repodata.json", Target("tools", "noarch", "repodata.json", "secret")),
        ("t/secret/tools/stage/channeldata.json", Target("tools/stage", "", "channeldata.json", "secret")),
        ("tools/noarch/shards/x", Target("tools", "noarch", "shards/x")),
        ("tools/freebsd-64/x", Target("tools", "freebsd-64", "x")),
        ("t/t/tools/x", Target("tools", "", "x", "t")),
        ("tools/jupyter/a.ipynb", Target("tools", "jupyter", "a.ipynb")),
        ("tools/stage/env/a.yml", Target("tools/stage", "env", "a.yml")),
        ("t/secret/tools/gra/a/1/f.bin", Target("tools", "gra", "a/1/f.bin", "secret")),
        ("gra/gra/a/f.bin", Target("gra", "gra", "a/f.bin")),
        ("tools/project", Target("tools", "", "project")),
    ],
)
def test_address_is_taken_apart(path: str, target: Target) -> None:
    assert parse_target(path) == target


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "tools",
        "tools/",
        "/tools",
        "t",
        "t/",
        "t/secret",
        "t/secret/tools",
        "t/secret/tools/",
        "//",
        "tools//repodata.json",
        "tools/noarch/",
        "tools/noarch//x",
        "a/b/c/d.json",
        "a/b/c/noarch/x",
    ],
)
def test_what_is_no_content_address_is_none(path: str) -> None:
    assert parse_target(path) is None


@pytest.mark.parametrize("folder", ["jupyter", "env", "project", "gra"])
def test_file_in_a_folder_is_told_from_what_lies_in_a_subdir(folder: str) -> None:
    assert Target("tools", folder, "a").is_in_folder
    assert not Target("tools", "noarch", folder).is_in_folder


def test_shard_is_known_by_its_digest() -> None:
    assert Target("tools", "noarch", f"shards/{SHA256}.msgpack.zst").shard == bytes.fromhex(SHA256)


@pytest.mark.parametrize(
    "file",
    [
        "shards/ab.msgpack.zst",
        f"shards/{SHA256.upper()}.msgpack.zst",
        f"shards/{SHA256}.msgpack",
        "shards/",
        f"x/shards/{SHA256}.msgpack.zst",
        f"shards/{SHA256}.msgpack.zst/x",
        f"shards/{SHA256}.msgpack.zst\n",
    ],
)
def test_what_is_no_shard_has_no_digest(file: str) -> None:
    assert Target("tools", "noarch", file).shard is None


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/api/repo/tools/x", "tools/x"),
        ("/api/repo/", ""),
        ("/t/secret/api/repo/tools/x", "t/secret/tools/x"),
        ("/api/repo", None),
        ("/api/channels", None),
        ("/API/repo/tools/x", None),
        ("//api/repo/tools/x", None),
        ("", None),
    ],
)
def test_content_lies_below_one_prefix_a_token_in_front_or_behind(path: str, rest: str | None) -> None:
    assert content_path(path) == rest


@given(st.text())
def test_no_path_is_too_odd_to_be_read(path: str) -> None:
    target = parse_target(path)
    assert target is None or (target.channel and target.file and target.channel.count("/") <= 1)


@given(st.lists(st.sampled_from(["a", "t", "noarch", "linux-64", "..", "x.json", "shards", ""]), max_size=7))
def test_parts_of_a_path_are_all_in_its_target(parts: list[str]) -> None:
    target = parse_target("/".join(parts))
    if target is not None:
        named = [target.channel, target.subdir, target.file]
        prefix = [] if target.token is None else ["t", target.token]
        assert "/".join([*prefix, *(name for name in named if name)]) == "/".join(parts)
