"""Who refers to which bytes, when two let go of them, or one lets go while another takes hold, at once."""

import threading
from datetime import timedelta

from sqlalchemy import Connection

from packhouse.actions.channels import delete_channel
from packhouse.actions.packhouse import utc_now
from packhouse.actions.remove import take_out
from packhouse.domain.channels import Channel
from packhouse.storage import artifacts, blob_rows, channels, documents, entries, revisions
from packhouse.storage.documents import Document
from tests.house import House, selections

SHA256 = "a" * 64
LONG_ENOUGH = 0.3
"""Seconds for a thread to arrive at a lock; if it takes longer, the test passes without showing anything."""


def left(house: House) -> tuple[list[object], list[str]]:
    """Artifacts in no channel, and blobs that are kept for nobody."""
    with house.packhouse.database.reading() as connection:
        return list(artifacts.unused(connection, 100)), blob_rows.unused(connection, 100)


def remove_in(connection: Connection, house: House, channel: Channel, name: str) -> None:
    chosen = [entry for one in selections([name]) for entry in entries.selected(connection, channel.id, one)]
    channels.lock(connection, [channel.id], utc_now())
    take_out(connection, channel, chosen, utc_now())


def test_file_removed_from_its_two_channels_at_once_leaves_nothing(any_house: House) -> None:
    first, _ = any_house.channel("first"), any_house.channel("second")
    any_house.publish("first", "demo")
    any_house.copy("first", "second", "demo")
    other = threading.Thread(target=lambda: any_house.remove("second", "demo"))
    with any_house.packhouse.database.transaction() as connection:
        remove_in(connection, any_house, first, "demo")
        other.start()
        other.join(LONG_ENOUGH)
    other.join()
    assert left(any_house) == ([], [])


def test_blob_let_go_by_its_last_two_users_at_once_is_an_orphan(any_house: House) -> None:
    here, there = any_house.channel("here"), any_house.channel("there")
    document = Document("repodata.json", SHA256, 1, 1, utc_now())
    with any_house.packhouse.database.transaction() as connection:
        blob_rows.claim(connection, SHA256, 1, utc_now())
        blob_rows.confirm(connection, SHA256)
        for channel in (here, there):
            documents.put(connection, channel.id, "noarch", document)

    def let_go(connection: Connection, channel: Channel) -> None:
        blob_rows.release(connection, documents.remove_all(connection, channel.id), utc_now())

    def let_go_there() -> None:
        with any_house.packhouse.database.transaction() as connection:
            let_go(connection, there)

    other = threading.Thread(target=let_go_there)
    with any_house.packhouse.database.transaction() as connection:
        let_go(connection, here)
        other.start()
        other.join(LONG_ENOUGH)
    other.join()
    with any_house.packhouse.database.reading() as connection:
        assert blob_rows.orphans(connection, utc_now() + timedelta(hours=1), 10) == [SHA256]


def test_blob_let_go_by_one_while_another_takes_hold_of_it_is_kept(any_house: House) -> None:
    here, there = any_house.channel("here"), any_house.channel("there")
    document = Document("repodata.json", SHA256, 1, 1, utc_now())
    with any_house.packhouse.database.transaction() as connection:
        blob_rows.claim(connection, SHA256, 1, utc_now())
        blob_rows.confirm(connection, SHA256)
        documents.put(connection, here.id, "noarch", document)

    def let_go() -> None:
        with any_house.packhouse.database.transaction() as connection:
            blob_rows.release(connection, documents.remove_all(connection, here.id), utc_now())

    other = threading.Thread(target=let_go)
    with any_house.packhouse.database.transaction() as connection:
        blob_rows.confirm(connection, SHA256)
        documents.put(connection, there.id, "noarch", document)
        other.start()
        other.join(LONG_ENOUGH)
    other.join()
    with any_house.packhouse.database.reading() as connection:
        assert blob_rows.is_needed(connection, SHA256)


def test_documents_put_in_place_while_their_channel_is_deleted_leave_no_blob(any_house: House) -> None:
    channel = any_house.channel("data")
    other = threading.Thread(target=lambda: delete_channel(any_house.packhouse, any_house.admin, "data"))
    with any_house.packhouse.database.transaction() as connection:
        assert revisions.lock(connection, channel.id, "noarch")
        blob_rows.claim(connection, SHA256, 1, utc_now())
        blob_rows.confirm(connection, SHA256)
        documents.put(connection, channel.id, "noarch", Document("repodata.json", SHA256, 1, 1, utc_now()))
        other.start()
        other.join(LONG_ENOUGH)
    other.join()
    assert left(any_house) == ([], [])
