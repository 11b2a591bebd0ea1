"""Sends a file by tuspy, stops in the middle and goes on; prints where it went on, and the upload's id.

A process of its own, since tuspy leaves its files and connections for Python to close.
"""

import sys

from tusclient.client import TusClient

PART_BYTES = 300_000


def main(url: str, token: str, file: str, channel: str, checksums: str) -> None:
    client = TusClient(url, headers={"Authorization": f"Bearer {token}"})
    told = {"filename": file.rpartition("/")[2], "channel": channel}
    options = {"chunk_size": PART_BYTES, "upload_checksum": checksums == "with-checksums"}
    first = client.uploader(file, metadata=told, **options)
    first.upload(stop_at=2 * PART_BYTES)
    second = client.uploader(file, url=first.url, **options)
    print(second.offset, str(second.url).rpartition("/")[2])
    second.upload()


if __name__ == "__main__":
    main(*sys.argv[1:])
