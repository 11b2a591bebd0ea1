"""A small channel in a folder, as any web server could serve it, and what becomes of a mirror of it."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import httpx

from tests.builders import build_conda_package


def add_package(channel: Path, name: str, version: str = "1.0", **facts: Any) -> Path:
    """Build a package into its subdir of the channel and list it in the `repodata.json` there."""
    subdir = facts.get("subdir", "noarch")
    folder = channel / subdir
    folder.mkdir(parents=True, exist_ok=True)
    package = build_conda_package(folder, name, version, **facts)
    index = folder / "repodata.json"
    document = json.loads(index.read_text()) if index.exists() else _empty(subdir)
    document["packages.conda"][package.name] = _record(package, name, version, facts)
    index.write_text(json.dumps(document))
    return package


def _empty(subdir: str) -> dict[str, Any]:
    return {"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}, "repodata_version": 1}


def _record(package: Path, name: str, version: str, facts: dict[str, Any]) -> dict[str, Any]:
    content = package.read_bytes()
    return {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": list(facts.get("depends", ())),
        "subdir": facts.get("subdir", "noarch"),
        "timestamp": facts.get("timestamp", 1_700_000_000_000),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "md5": hashlib.md5(content).hexdigest(),
        **facts.get("index_overrides", {}),
    }


def wait_until_run(api: httpx.Client, channel: str, name: str, seconds: float = 30) -> dict[str, Any]:
    """The mirror once its run has ended well."""
    end = time.monotonic() + seconds
    while True:
        mirror: dict[str, Any] = api.get(f"/api/channels/{channel}/mirrors/{name}").raise_for_status().json()
        if mirror["state"] == "completed":
            return mirror
        assert time.monotonic() < end, f"mirror {name} is {mirror['state']}: {mirror['sync_state']}"
        time.sleep(0.05)
