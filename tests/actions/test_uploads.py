"""Uploads in parts below the web: what two do at once, what expires, what a check finds."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, update

from packhouse.actions import uploads
from packhouse.actions.check import check
from packhouse.actions.sweep import sweep
from packhouse.actions.uploads import append_part, create_upload, delete_upload, find_upload, publish_upload
from packhouse.domain.families import Declared
from packhouse.domain.uploads import Upload, UploadPart
from packhouse.errors import Conflict, Corrupt, Invalid, NotFound
from packhouse.storage import tables
from packhouse.storage.blobs import Spool
from tests.actions.conftest import Clock
from tests.actions.ledger import Interrupted, assert_in_order, at_once, blobs, kept, once
from tests.house import House

CONDA = Declared()


@pytest.fixture
def any_tools(any_house: House) -> House:
    any_house.channel("tools")
    return any_house


@pytest.fixture
def tools(house: House) -> House:
    house.channel("tools")
    return house


def set_clock(house: House) -> Clock:
    """The house's own, from here on."""
    clock = Clock()
    house.packhouse = replace(house.packhouse, clock=clock)
    return clock


def opened(house: House, size: int, filename: str = "demo-1.0-0.conda") -> Upload:
    return create_upload(house.packhouse, house.admin, "tools", filename, size)


def append(house: House, upload: Upload, data: bytes) -> Upload:
    current = find_upload(house.packhouse, house.admin, upload.uuid)
    with Spool(house.packhouse.spool_dir, with_md5=False) as spool:
        spool.write(data)
        return append_part(house.packhouse, house.admin, current, spool, spool.finish())


def sent_in_parts(house: House, file: Path, size: int = 400) -> Upload:
    data = file.read_bytes()
    upload = opened(house, len(data), file.name)
    for start in range(0, len(data), size):
        upload = append(house, upload, data[start : start + size])
    return upload


def differences(house: House, repair: bool = False, deep: bool = False) -> list[str]:
    house.reindex_all()
    return [str(one) for one in check(house.packhouse, repair, deep).differences]


# --- appending --------------------------------------------------------------------------------


def test_part_that_another_overtakes_is_refused_and_leaves_the_upload_sound(any_tools: House) -> None:
    upload = opened(any_tools, 8)
    packhouse = any_tools.packhouse
    overtaking = once(lambda: append(any_tools, upload, b"first"))
    any_tools.packhouse = replace(packhouse, blobs=Interrupted(packhouse.blobs, overtaking))  # type: ignore[arg-type]  # acts like one

    with pytest.raises(Conflict, match="goes on at byte 5, not at 0"):
        append(any_tools, upload, b"late")

    any_tools.packhouse = packhouse
    assert find_upload(packhouse, any_tools.admin, upload.uuid).received == 5
    assert differences(any_tools, deep=True) == []


def test_many_parts_at_once_one_wins_each_place(any_tools: House) -> None:
    upload = opened(any_tools, 100)
    for place in range(3):
        answers = at_once([partial(append, any_tools, upload, letter) for letter in (b"a", b"b", b"c", b"d")])
        assert sum(isinstance(answer, Upload) for answer in answers) >= 1
        assert all(isinstance(answer, Upload | Conflict) for answer in answers), place
    received = find_upload(any_tools.packhouse, any_tools.admin, upload.uuid).received
    assert received >= 3
    assert differences(any_tools, deep=True) == []


def test_same_bytes_twice_are_one_blob(any_tools: House) -> None:
    upload = append(any_tools, append(any_tools, opened(any_tools, 6), b"abc"), b"abc")
    assert upload.received == 6
    assert len(kept(any_tools)) == 1
    delete_upload(any_tools.packhouse, any_tools.admin, upload.uuid)
    assert set(blobs(any_tools).values()) == {False}


def test_upload_in_too_many_parts_is_refused(tools: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_PARTS", 2)
    upload = append(tools, append(tools, opened(tools, 6), b"a"), b"b")
    with pytest.raises(Invalid, match="has come in 2 parts already"):
        append(tools, upload, b"c")


def test_no_bytes_are_no_part(tools: House) -> None:
    assert append(tools, opened(tools, 6), b"").received == 0
    assert blobs(tools) == {}


def test_part_whose_process_dies_before_its_row_is_an_orphan(any_tools: House) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    clock = set_clock(any_tools)
    packhouse, upload = any_tools.packhouse, opened(any_tools, 6)
    any_tools.packhouse = replace(packhouse, blobs=Interrupted(packhouse.blobs, die))  # type: ignore[arg-type]  # acts like one
    with pytest.raises(Killed):
        append(any_tools, upload, b"abc")
    any_tools.packhouse = packhouse

    assert find_upload(packhouse, any_tools.admin, upload.uuid).received == 0
    assert append(any_tools, upload, b"abc").received == 3
    clock.advance(hours=2)
    assert sweep(packhouse).blobs == 0
    assert differences(any_tools, deep=True) == []


# --- expiry -----------------------------------------------------------------------------------


def test_expired_upload_goes_and_then_its_bytes(any_tools: House) -> None:
    clock = set_clock(any_tools)
    upload = append(any_tools, opened(any_tools, 6), b"abc")

    clock.advance(hours=23.9)
    assert sweep(any_tools.packhouse).uploads == 0
    clock.advance(hours=0.2)
    with pytest.raises(NotFound):
        find_upload(any_tools.packhouse, any_tools.admin, upload.uuid)
    swept = sweep(any_tools.packhouse)
    assert (swept.uploads, swept.blobs, len(kept(any_tools))) == (1, 0, 1)
    clock.advance(hours=1.1)
    assert sweep(any_tools.packhouse).blobs == 1
    assert (blobs(any_tools), kept(any_tools)) == ({}, set())


def test_bytes_of_an_open_upload_are_never_swept(any_tools: House) -> None:
    clock = set_clock(any_tools)
    upload = opened(any_tools, 6)
    for letter in (b"a", b"b", b"c"):
        append(any_tools, upload, letter)
        clock.advance(hours=23)
        swept = sweep(any_tools.packhouse)
        assert (swept.uploads, swept.blobs) == (0, 0)
    assert len(kept(any_tools)) == 3
    assert differences(any_tools, deep=True) == []


def test_upload_that_got_a_part_meanwhile_is_not_given_up(tools: House) -> None:
    clock = set_clock(tools)
    upload = append(tools, opened(tools, 6), b"abc")
    seen = clock()
    clock.advance(hours=1)
    append(tools, upload, b"d")
    assert not uploads.drop_upload(tools.packhouse, upload.id, expired_by=seen + timedelta(hours=24))
    assert find_upload(tools.packhouse, tools.admin, upload.uuid).received == 4


def test_expired_uploads_do_not_count_as_open(tools: House) -> None:
    clock = set_clock(tools)
    settings = tools.packhouse.settings.model_copy(update={"max_open_uploads": 1})
    tools.packhouse = replace(tools.packhouse, settings=settings)
    opened(tools, 6)
    with pytest.raises(Conflict):
        opened(tools, 6)
    clock.advance(hours=25)
    opened(tools, 6)


def test_limit_holds_for_uploads_opened_at_once(any_tools: House) -> None:
    settings = any_tools.packhouse.settings.model_copy(update={"max_open_uploads": 3})
    any_tools.packhouse = replace(any_tools.packhouse, settings=settings)
    answers = at_once([lambda: opened(any_tools, 6)] * 8)
    assert sum(isinstance(answer, Upload) for answer in answers) == 3


def test_more_expired_uploads_than_one_batch_all_go(tools: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "BATCH", 2)
    clock = set_clock(tools)
    for _ in range(5):
        opened(tools, 6)
    clock.advance(hours=25)
    assert sweep(tools.packhouse).uploads == 5


# --- publishing and checking ------------------------------------------------------------------


def test_published_file_outlives_its_upload(any_tools: House) -> None:
    clock = set_clock(any_tools)
    upload = sent_in_parts(any_tools, any_tools.build("demo"))
    entry, is_new = publish_upload(any_tools.packhouse, any_tools.admin, "tools", upload.uuid, CONDA)
    assert is_new
    any_tools.reindex_all()

    clock.advance(hours=25)
    sweep(any_tools.packhouse)
    clock.advance(hours=2)
    sweep(any_tools.packhouse)

    assert entry.artifact.digests.sha256 in kept(any_tools)
    assert_in_order(any_tools)
    assert differences(any_tools, deep=True) == []


def test_upload_of_one_part_shares_its_blob_with_the_file(any_tools: House) -> None:
    file = any_tools.build("demo")
    upload = sent_in_parts(any_tools, file, size=10_000)
    publish_upload(any_tools.packhouse, any_tools.admin, "tools", upload.uuid, CONDA)
    [sha256] = kept(any_tools)
    delete_upload(any_tools.packhouse, any_tools.admin, upload.uuid)
    assert blobs(any_tools)[sha256] is True


def test_lost_bytes_of_a_part_are_told_and_the_upload_is_given_up(any_tools: House) -> None:
    upload = append(any_tools, append(any_tools, opened(any_tools, 8), b"abc"), b"def")
    with any_tools.packhouse.database.reading() as connection:
        sha256 = (
            connection.execute(tables.upload_part.select().where(tables.upload_part.c.start == 3))
            .one()
            .sha256
        )
    any_tools.packhouse.blobs.remove(sha256)

    sentence = (
        f"upload {upload.uuid}: the bytes of its part at 3, blob {sha256}, are missing. "
        "'demo-1.0-0.conda' must be sent again."
    )
    assert differences(any_tools) == [sentence]
    assert differences(any_tools, repair=True) == [f"{sentence} Mended."]
    assert differences(any_tools, deep=True) == []
    with pytest.raises(NotFound):
        find_upload(any_tools.packhouse, any_tools.admin, upload.uuid)


def test_parts_that_do_not_follow_each_other_are_told_and_the_upload_is_given_up(tools: House) -> None:
    gap, short = sent_in_parts(tools, tools.build("demo")), append(tools, opened(tools, 8), b"abc")
    part, row = tables.upload_part, tables.upload
    with tools.packhouse.database.transaction() as connection:
        connection.execute(delete(part).where(part.c.upload_id == gap.id, part.c.start == 400))
        connection.execute(update(row).where(row.c.id == short.id).values(received=5))

    told = differences(tools, repair=True)

    sentence = "its parts do not make up the 5 bytes that are said to have arrived."
    assert f"upload {short.uuid}: {sentence} 'demo-1.0-0.conda' must be sent again. Mended." in told
    assert any(one.startswith(f"upload {gap.uuid}: its parts do not make up") for one in told)
    assert differences(tools, deep=True) == []


def test_upload_whose_bytes_changed_in_the_store_is_not_published(tools: House) -> None:
    upload = append(tools, opened(tools, 3, "data.bin"), b"abc")
    [sha256] = kept(tools)
    path = tools.packhouse.blobs.path(sha256)
    assert path is not None
    path.write_bytes(b"abX")

    with pytest.raises(Corrupt, match=r"'data\.bin' was damaged in the store"):
        publish_upload(tools.packhouse, tools.admin, "tools", upload.uuid, Declared("gra", "data"))


def test_upload_given_up_while_it_is_published_is_no_damage(
    tools: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = sent_in_parts(tools, tools.build("demo"))
    parts = uploads.uploads.parts

    def given_up_first(connection: Connection, upload_id: int) -> list[UploadPart]:
        monkeypatch.setattr(uploads.uploads, "parts", parts)
        assert uploads.drop_upload(tools.packhouse, upload_id)
        return parts(connection, upload_id)

    monkeypatch.setattr(uploads.uploads, "parts", given_up_first)
    _, is_new = publish_upload(tools.packhouse, tools.admin, "tools", upload.uuid, CONDA)

    assert is_new


def test_upload_that_lost_a_part_is_not_published(tools: House) -> None:
    upload = sent_in_parts(tools, tools.build("demo"))
    part = tables.upload_part
    with tools.packhouse.database.transaction() as connection:
        connection.execute(delete(part).where(part.c.upload_id == upload.id, part.c.start == 400))

    with pytest.raises(Corrupt, match=r"'demo-1.0-0.conda' was damaged in the store"):
        publish_upload(tools.packhouse, tools.admin, "tools", upload.uuid, CONDA)
