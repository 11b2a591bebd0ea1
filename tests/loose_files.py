"""Small real files of the families that no package index knows, and how they are published."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

from packhouse.actions.publish import publish
from packhouse.domain.artifacts import Entry
from packhouse.domain.families import declared_in
from packhouse.storage.blobs import Spool
from tests.asgi import Response
from tests.house import House
from tests.web.forms import form, part, send_form

ENVIRONMENT = (
    b"name: analysis\nchannels: [tools, conda-forge]\ndependencies: [python=3.11, zlib, {pip: [rich]}]\n"
)
PROJECT = b"name: survey\ndescription: Asks people\nplatforms: [linux-64, win-64]\n"


def notebook(**overrides: Any) -> bytes:
    """As Jupyter writes them."""
    document = {
        "cells": [{"cell_type": "code", "source": ["1 + 1"], "outputs": [], "metadata": {}}],
        "metadata": {
            "title": "Sums",
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python", "version": "3.11.4"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document | overrides).encode()


def tar(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def tar_gz(members: Mapping[str, bytes]) -> bytes:
    return gzip.compress(tar(members), mtime=0)


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def project(folder: str = "survey/") -> bytes:
    return tar_gz({f"{folder}anaconda-project.yml": PROJECT, f"{folder}ask.py": b"print('?')\n"})


FILES: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "jupyter/sums.ipynb": ("sums.ipynb", notebook(), {"filetype": "jupyter_notebook"}),
    "env/analysis.yml": ("analysis.yml", ENVIRONMENT, {"filetype": "anaconda_env"}),
    "project/survey.tar.gz": ("survey.tar.gz", project(), {"filetype": "anaconda_project"}),
    "gra/model/1.0/weights.bin": (
        "weights.bin",
        bytes(range(256)),
        {"filetype": "gra_file", "name": "model", "version": "1.0"},
    ),
}
"""One of each family by its ckey: file name, bytes, and the fields that go with them."""

FAMILIES = {
    "jupyter/sums.ipynb": ("notebook", "sums"),
    "env/analysis.yml": ("anaconda_env", "analysis"),
    "project/survey.tar.gz": ("anaconda_project", "survey"),
    "gra/model/1.0/weights.bin": ("gra", "model"),
}


def publish_file(house: House, channel: str, filename: str, data: bytes, **fields: str) -> tuple[Entry, bool]:
    """What an upload does, with the answer whether the file is new."""
    with Spool(house.packhouse.spool_dir) as spool:
        spool.write(data)
        digests, declared = spool.finish(), declared_in(fields)
        return publish(house.packhouse, house.admin, channel, filename, spool, digests, declared)


def publish_all(house: House, channel: str) -> None:
    for filename, data, fields in FILES.values():
        publish_file(house, channel, filename, data, **fields)


def upload_file(
    house: House, channel: str, filename: str, data: bytes, token: str, **fields: str
) -> Response:
    """Over HTTP, as existing clients do."""
    chosen = {"size": str(len(data)), **fields}
    parts = [part("content", data, filename), *(part(name, value) for name, value in chosen.items())]
    return send_form(house, channel, form(*parts), token)
