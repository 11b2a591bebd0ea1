"""Compares uploads that come in parts with their parts, and the parts with the blob store."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from packhouse.actions.check.blobs import fault_of
from packhouse.actions.check.report import Report
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.uploads import drop_upload
from packhouse.domain.uploads import Upload, UploadPart
from packhouse.storage import uploads

BATCH = 1_000


def check_uploads(packhouse: Packhouse, report: Report, repair: bool, deep: bool) -> None:
    """No other copy of a part is known. What mends an upload is to drop it: its sender begins again."""
    for upload in _all_uploads(packhouse):
        fault = _fault(packhouse, upload.id, deep, repair)
        if fault is not None:
            if repair:
                drop_upload(packhouse, upload.id)
            report.add(f"upload {upload.uuid}", f"{fault} '{upload.filename}' must be sent again.", repair)


def _all_uploads(packhouse: Packhouse) -> Iterator[Upload]:
    last = 0
    while True:
        with packhouse.database.reading() as connection:
            rows = uploads.page(connection, last, BATCH)
        if not rows:
            return
        yield from rows
        last = rows[-1].id


def _fault(packhouse: Packhouse, upload_id: int, deep: bool, repair: bool) -> str | None:
    with packhouse.database.reading() as connection:
        upload, parts = uploads.find(connection, upload_id), uploads.parts(connection, upload_id)
    if upload is None:
        return None
    if not _follow_each_other(upload, parts):
        return f"its parts do not make up the {upload.received} bytes that are said to have arrived."
    for part in parts:
        if fault := fault_of(packhouse, part.sha256, part.size, deep):
            if repair:
                packhouse.blobs.remove(part.sha256)  # or what is there would be taken for good
            return f"the bytes of its part at {part.start}, blob {part.sha256}, {fault}."
    return None


def _follow_each_other(upload: Upload, parts: Sequence[UploadPart]) -> bool:
    ends = list(accumulate((part.size for part in parts), initial=0))
    return [*(part.start for part in parts), upload.received] == ends
