"""The whole schema. The database is the truth; indexes are made from it and can be made again."""

from packhouse.storage.tables.artifacts import artifact, blob, entry, package, upload, upload_part
from packhouse.storage.tables.channels import channel, event, file_change, grant
from packhouse.storage.tables.columns import Moment, metadata
from packhouse.storage.tables.indexes import document, revision, shard
from packhouse.storage.tables.mirrors import mirror, mirror_name, mirror_refusal, mirror_run, mirror_subdir
from packhouse.storage.tables.people import authorization_code, device_login, secret, token, user

__all__ = [
    "Moment",
    "artifact",
    "authorization_code",
    "blob",
    "channel",
    "device_login",
    "document",
    "entry",
    "event",
    "file_change",
    "grant",
    "metadata",
    "mirror",
    "mirror_name",
    "mirror_refusal",
    "mirror_run",
    "mirror_subdir",
    "package",
    "revision",
    "secret",
    "shard",
    "token",
    "upload",
    "upload_part",
    "user",
]
