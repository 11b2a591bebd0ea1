"""What docs/guides/publish-and-install.md tells people to type, typed."""

import re
import subprocess
import sys
from pathlib import Path

from tests.builders import build_conda_package
from tests.cli.shell import CONDA_REPO, Shell
from tests.clients.rattler_client import Rattler
from tests.live import PASSWORD, LiveServer

GUIDE = Path(__file__).parent.parent.parent / "docs" / "guides" / "publish-and-install.md"
ADDRESS = "http://127.0.0.1:8080"


def blocks(language: str, server: LiveServer) -> list[str]:
    """The guide's examples, with this server's address and password in them."""
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    filled = [block.replace(ADDRESS, server.url).replace("PASSWORD", PASSWORD) for block in found]
    return [re.sub(r"^conda repo ", f"{CONDA_REPO} ", block, flags=re.MULTILINE) for block in filled]


def typed(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=folder,
        env=Shell(folder).all_variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_publish_a_package_that_a_client_finds(live_server: LiveServer, tmp_path: Path) -> None:
    build_conda_package(tmp_path, "zlib", "1.3", subdir="linux-64")
    publish, look_around, make_token, publish_by_http, *_ = blocks("sh", live_server)

    found = typed(f"{publish}\n{look_around}", tmp_path)
    *_, answer, token = typed(f"{make_token}\n{publish_by_http}\necho; echo $TOKEN", tmp_path).splitlines()

    assert "linux-64/zlib-1.3-0.conda" in found
    assert "tools/dev" in found
    assert '"ckey":"linux-64/zlib-1.3-0.conda"' in answer
    records = Rattler(tmp_path).solve(f"{live_server.url}/api/repo/t/{token}/tools", "zlib")
    assert [record.file_name for record in records] == ["zlib-1.3-0.conda"]


def test_the_python_example_publishes_a_package(live_server: LiveServer, tmp_path: Path) -> None:
    live_server.create_channel("tools")
    build_conda_package(tmp_path, "zlib", "1.3", subdir="linux-64")
    [example] = blocks("python", live_server)

    program = example.replace('"TOKEN"', repr(live_server.log_in()))
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)

    live_server.wait_until_indexed("tools", "linux-64", "zlib-1.3-0.conda")
