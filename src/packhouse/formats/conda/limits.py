"""How much of a package a reader is willing to look at before it calls the package hostile."""

from dataclasses import dataclass

from packhouse.errors import TooLarge

KIB, MIB, GIB = 1024, 1024**2, 1024**3


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one package; sizes in bytes, after decompression."""

    max_members: int = 500_000
    max_unpacked_bytes: int = 32 * GIB
    #: Only asked beyond `ratio_free_bytes`: real packages stay far below, bombs start at thousands to one.
    max_ratio: int = 250
    ratio_free_bytes: int = 64 * MIB
    max_document_bytes: int = 16 * MIB
    #: For the documents with a line a file: paths.json, files, has_prefix.
    max_listing_bytes: int = 64 * MIB
    max_license_bytes: int = 64 * KIB
    max_licenses: int = 20
    max_tar_header_bytes: int = 64 * KIB
    #: The window of `zstd --ultra -22`, and the most that zstd's own tools accept unasked: 128 MiB.
    max_window_log: int = 27

    def budget(self, packed_bytes: int) -> "Budget":
        """What a file of this size may unpack to."""
        by_ratio = max(self.ratio_free_bytes, packed_bytes * self.max_ratio)
        return Budget(min(self.max_unpacked_bytes, by_ratio))


class Budget:
    """Counts the unpacked bytes of all parts of one package."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._left = allowed

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLarge(
                f"it unpacks to more than {self._allowed} bytes, the most allowed for a file of its size; "
                "split the package or ask the operator to raise the limit"
            )
