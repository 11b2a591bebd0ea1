"""The sections of a conda index, as its documents order them and the database keeps them."""

from enum import IntEnum


class Section(IntEnum):
    """The part of an index that lists a file; rows are in the order of these numbers, and the database keeps them."""

    TAR_BZ2 = 0
    CONDA = 1
    V3_TAR_BZ2 = 2
    V3_CONDA = 3

    @property
    def extension(self) -> str:
        return _EXTENSIONS[self]

    def key(self, filename: str) -> str:
        """What stands for a file here; raises ValueError if files of another kind do."""
        if not filename.endswith(self.extension):
            raise ValueError(f"{filename!r} does not end in {self.extension}, as all do in section {self:d}")
        return filename.removesuffix(self.extension) if self >= FIRST_V3 else filename

    def filename(self, key: str) -> str:
        """The file that a key stands for here."""
        return key + self.extension if self >= FIRST_V3 else key


_EXTENSIONS = (".tar.bz2", ".conda", ".tar.bz2", ".conda")

FIRST_V3 = Section.V3_TAR_BZ2
"""From here on, older clients never look, and keys are file names without their extension (CEP 48)."""
