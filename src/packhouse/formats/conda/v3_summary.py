"""What the head of an index tells of the records that only newer clients read (CEP 48)."""

from typing import Any, NamedTuple


class V3Summary(NamedTuple):
    """How many records stand under `v3`, and when the first and the last was indexed, in milliseconds."""

    n_packages: int
    oldest: int
    newest: int

    def joined(self, other: "V3Summary") -> "V3Summary":
        return V3Summary(
            self.n_packages + other.n_packages,
            min(self.oldest, other.oldest),
            max(self.newest, other.newest),
        )

    def revisions(self) -> dict[str, Any]:
        """`info.repodata_revisions`."""
        return {
            "v3": {
                "message": None,
                "n_packages": self.n_packages,
                "newest": self.newest,
                "oldest": self.oldest,
            }
        }
