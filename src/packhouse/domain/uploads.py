"""An upload that comes in parts: what was announced, and how much of it has arrived."""

from dataclasses import dataclass
from datetime import datetime

from packhouse.errors import Invalid

MAX_FILENAME_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Upload:
    """It belongs to a user and to no channel: once complete, it can be published into several."""

    id: int
    uuid: str
    user_id: int
    filename: str
    size: int
    received: int
    created_at: datetime
    expires_at: datetime

    @property
    def missing(self) -> int:
        """Bytes that have not arrived yet."""
        return self.size - self.received


@dataclass(frozen=True, slots=True)
class UploadPart:
    """Consecutive bytes of an upload, kept as the blob `sha256`."""

    start: int
    size: int
    sha256: str


def upload_filename(text: str) -> str:
    """The last part of what a client calls the file; raise Invalid for what no file can be called."""
    name = text.replace("\\", "/").rpartition("/")[2]
    if not name or len(name) > MAX_FILENAME_LENGTH or not name.isprintable():
        raise Invalid(f"A file's name has 1 to {MAX_FILENAME_LENGTH} printable characters.")
    return name
