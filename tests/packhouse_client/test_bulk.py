"""Changes of more files than one request may name."""

from collections.abc import Sequence

import pytest

from packhouse_client import bulk
from packhouse_client.bulk import Item, change
from packhouse_client.errors import Frozen

ITEMS: list[Item] = [{"name": f"p{number}", "family": "conda"} for number in range(5)]


@pytest.fixture(autouse=True)
def _small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_ITEMS", 2)


def test_every_item_is_asked_for_once_and_progress_told() -> None:
    asked: list[Item] = []
    progress: list[int] = []

    change(asked.extend, ITEMS, progress.append)

    assert asked == ITEMS
    assert progress == [2, 4, 5]


def test_failure_tells_what_was_done_before() -> None:
    def ask(items: Sequence[Item]) -> None:
        if items[0]["name"] == "p2":
            raise Frozen("Channel 'data' is frozen.", 400)

    with pytest.raises(Frozen, match=r"is frozen\. The first 2 of 5 files were done before"):
        change(ask, ITEMS, lambda count: None)


def test_failure_of_the_first_request_says_nothing_of_others() -> None:
    def ask(items: Sequence[Item]) -> None:
        raise Frozen("Channel 'data' is frozen.", 400)

    with pytest.raises(Frozen) as refused:
        change(ask, ITEMS, lambda count: None)
    assert refused.value.message == "Channel 'data' is frozen."
