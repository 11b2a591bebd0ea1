"""Real packages of five platforms through the command line: published, found, copied, moved and removed."""

from pathlib import Path

from ruamel.yaml import YAML

from tests.cli.shell import Shell, new_name
from tests.clients.rattler_client import Rattler
from tests.live import LiveServer

DATA = Path(__file__).parent.parent / "data" / "conda"
FILES = sorted(DATA.glob("*/*"))
ZLIB = [path for path in FILES if path.name.startswith("zlib-")]


def ckeys_of(shell: Shell, specification: str) -> set[str]:
    listed = shell.succeeds("channel", "--list-files", specification, "--limit", 1000, "--json").document
    return {item["ckey"] for item in listed["items"]}


def test_real_packages_make_the_round_trip(shell: Shell) -> None:
    channel, team = new_name("round"), new_name("trip")
    stage = f"{team}/stage"
    for path in (channel, team, stage):
        shell.succeeds("channel", "--create", path)

    sent = shell.succeeds("upload", *FILES, "--channel", channel, "--json").document["items"]
    assert len(FILES) > 14
    assert {item["status"] for item in sent} == {"uploaded"}
    ckeys = {item["ckey"] for item in sent}
    assert len(ckeys) == len(FILES)

    assert ckeys_of(shell, channel) == ckeys
    found = shell.succeeds("search", "zlib", "--json").document["items"]
    assert channel in {item["channel"] for item in found}

    zlib = {f"{path.parent.name}/{path.name}" for path in ZLIB}
    shell.succeeds("copy", f"{channel}::zlib/1.2.11", "-d", team)
    assert ckeys_of(shell, team) == zlib <= ckeys
    single = "linux-64/zlib-1.2.11-h7b6447c_3.conda"
    shell.succeeds("copy", f"{channel}::zlib/1.2.11/{Path(single).name}", "-d", stage)
    assert ckeys_of(shell, stage) == {single}

    shell.succeeds("move", f"{team}::zlib//{Path(single).name}", f"{team}::zlib", "-d", stage, "--yes")
    assert (ckeys_of(shell, team), ckeys_of(shell, stage)) == (set(), zlib)

    shell.succeeds("remove", f"{channel}::zlib?subdir=osx-64", "--yes")
    assert ckeys_of(shell, f"{channel}::zlib") == {ckey for ckey in zlib if not ckey.startswith("osx-64")}

    again = shell.succeeds("upload", *FILES, "-c", channel, "--json").document["items"]
    assert {item["ckey"] for item in again if item["status"] == "uploaded"} == {
        ckey for ckey in zlib if ckey.startswith("osx-64")
    }
    assert ckeys_of(shell, channel) == ckeys


def test_bytes_come_back_as_they_were_sent(shell: Shell, server: LiveServer, channel: str) -> None:
    shell.succeeds("upload", *ZLIB, "-c", channel)

    with server.client() as client:
        for path in ZLIB:
            served = client.get(f"/api/repo/{channel}/{path.parent.name}/{path.name}").raise_for_status()
            assert served.content == path.read_bytes(), path.name


def channels_of(condarc: Path) -> list[str]:
    """As conda reads it: `defaults` stands for the default channels, and names follow the alias."""
    written = YAML(typ="safe", pure=True).load(condarc.read_text())
    names = [
        name
        for entry in written["channels"]
        for name in (written["default_channels"] if entry == "defaults" else [entry])
    ]
    return [f"{written['channel_alias']}/{name}" for name in names]


def test_rattler_installs_from_the_condarc_of_the_wizard_and_restore_takes_it_back(
    shell: Shell, server: LiveServer, tmp_path: Path
) -> None:
    base, extra = new_name("base"), new_name("extra")
    for name in (base, extra):
        shell.succeeds("channel", "--create", name)
    packages = sorted(DATA.glob("noarch/depend*-1.0-0.conda"))
    assert [path.name.partition("-1.0")[0] for path in packages] == ["dependency", "dependent"]
    for channel, package in zip((base, extra), packages, strict=True):
        shell.succeeds("upload", package, "-c", channel)
    condarc = shell.home / ".condarc"
    condarc.write_text("channels: [old]  # mine\n")

    shell.succeeds("wizard", typed=f"{base}\n{extra}\ny\n")

    for channel, package in zip((base, extra), packages, strict=True):
        server.wait_until_indexed(channel, "noarch", package.name)
    rattler = Rattler(tmp_path)
    rattler.install(tmp_path / "env", rattler.solve_from(channels_of(condarc), "dependent"))
    installed = {path.name for path in (tmp_path / "env/conda-meta").glob("*.json")}
    assert installed == {"dependency-1.0-0.json", "dependent-1.0-0.json"}

    shell.succeeds("wizard", "--restore")
    assert condarc.read_text() == "channels: [old]  # mine\n"
