"""The bytes of the packages, named by their digest, in a folder or an object store."""

from packhouse.storage.blobs.locate import open_blobs
from packhouse.storage.blobs.partial import PartialFile
from packhouse.storage.blobs.spool import Spool, remove_leftover_spools
from packhouse.storage.blobs.store import Blobs

__all__ = ["Blobs", "PartialFile", "Spool", "open_blobs", "remove_leftover_spools"]
