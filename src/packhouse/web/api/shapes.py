"""The JSON of channels, packages and files as existing clients read it (docs/reference/api.md)."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from packhouse.domain.access import Actor, Level, level_on
from packhouse.domain.artifacts import Artifact, Entry
from packhouse.domain.channels import Channel, ChannelCounts
from packhouse.domain.families import CONDA, ENVIRONMENT, GENERAL, NOTEBOOK, PROJECT
from packhouse.formats.conda.records import with_indexed_timestamp
from packhouse.storage.packages import Listed

ACCESS_WORDS = {Level.READ: "viewer", Level.WRITE: "collaborator", Level.MANAGE: "owner"}
STORED_TYPES = {
    NOTEBOOK: "ipynb",
    ENVIRONMENT: "anaconda_env",
    PROJECT: "anaconda_project",
    GENERAL: "gra",
}
"""What a file is called in listings, which is not always what its upload was called."""
ABOUT_KEYS = ("summary", "description", "home", "dev_url", "doc_url")


def channel_json(channel: Channel, counts: ChannelCounts, actor: Actor) -> dict[str, Any]:
    """`updated` and `created` are never null, and `parent` is always there: clients insist on both."""
    return {
        "id": channel.uuid,
        "name": channel.name,
        "parent": channel.parent,
        "description": channel.description,
        "privacy": channel.privacy.value,
        "indexing_behavior": channel.indexing.value,
        "artifact_count": counts.artifacts,
        "download_count": counts.downloads,
        "subchannel_count": counts.subchannels,
        "group_count": counts.grants,
        "mirror_count": counts.mirrors,
        "filters": {},
        "owners": [channel.owner_name],
        "access": ACCESS_WORDS.get(level_on(actor, channel), "viewer"),
        "created": channel.created_at.isoformat(),
        "updated": channel.updated_at.isoformat(),
    }


def package_json(listed: Listed) -> dict[str, Any]:
    package = listed.package
    channel, _, subchannel = listed.channel_path.partition("/")
    return {
        "name": package.name,
        "family": package.family,
        "channel": channel,
        "subchannel": subchannel,
        "privacy": listed.privacy,
        "metadata": _package_metadata(listed),
        "download_count": package.download_count,
        "file_count": package.file_count,
        "cve_count": 0,
        "available_versions": list(package.versions),
        "updated_at": package.updated_at.isoformat(),
    }


def _package_metadata(listed: Listed) -> dict[str, Any]:
    latest = listed.package.latest
    shown = {"name": latest.name, "version": latest.version, "subdirs": list(listed.package.subdirs)}
    if latest.family != CONDA:
        return {**latest.about, **shown}
    record = orjson.loads(latest.record)
    return {
        **shown,
        "build_number": latest.build_number,
        "license": record.get("license"),
        "license_family": record.get("license_family"),
        **{key: latest.about.get(key) for key in ABOUT_KEYS},
        "install_cmd": f"conda install -c {listed.channel_path} {latest.name}",
    }


def file_json(entry: Entry, channel: Channel, base_url: str) -> dict[str, Any]:
    """Strings where clients want strings: no `subchannel` is "", not null."""
    artifact = entry.artifact
    added = entry.added_at.isoformat()
    return {
        "ckey": artifact.ckey,
        "name": artifact.name,
        "family": artifact.family,
        "type": _type(artifact),
        "channel": channel.parent or channel.name,
        "subchannel": channel.name if channel.parent else "",
        "metadata": _file_metadata(artifact, entry.indexed_timestamp),
        "signatures": None,
        "created_at": added,
        "updated_at": added,
        "state": "active",
        "vanished_at": None if entry.vanished_at is None else entry.vanished_at.isoformat(),
        "size": artifact.digests.size,
        "download_count": entry.download_count,
        "url": f"{base_url}/api/repo/{channel.path}/{artifact.ckey}",
        "cve_status": None,
        "cve_score": None,
    }


def _type(artifact: Artifact) -> str:
    if artifact.family != CONDA:
        return STORED_TYPES[artifact.family]
    return "conda_package_2" if artifact.filename.endswith(".conda") else "conda_package_1"


def _file_metadata(artifact: Artifact, indexed_timestamp: int) -> Mapping[str, Any]:
    if artifact.family != CONDA:
        facts = {"name": artifact.name, "version": artifact.version, "fn": artifact.filename}
        return {**artifact.about, **facts, **asdict(artifact.digests)}
    record = orjson.loads(with_indexed_timestamp(artifact.record, artifact.splice, indexed_timestamp))
    record["fn"] = artifact.filename
    return {"about.json": dict(artifact.about), "index.json": record, "repodata_record.json": record}
