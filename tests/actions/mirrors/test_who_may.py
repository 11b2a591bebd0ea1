"""Who may say something of mirrors: nobody else learns what the server makes of a specification."""

import threading
from typing import Any

import pytest

from packhouse.actions.mirrors import preview
from packhouse.domain.channels import Privacy
from tests.asgi import Response
from tests.listed_channel import ListedChannel
from tests.live import wait_until
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream, hang_before

WRONG = [
    {"source_root": "file:///etc"},
    {"filters": {"only_specs": ["[["]}},
    {"filters": {"no_such_filter": True}},
    {"mirror_name": "../up"},
]
"""Each is refused with 400, where it comes from somebody who may make a mirror."""


@pytest.fixture
def somebody(mirrors: MirrorHouse) -> str:
    """The session of a user who has no right on the channels `open` and `closed`."""
    mirrors.house.channel("open")
    mirrors.house.channel("closed", privacy=Privacy.PRIVATE)
    mirrors.house.user("somebody")
    return mirrors.house.session("somebody")


def say(mirrors: MirrorHouse, path: str, token: str | None, method: str = "POST", **said: Any) -> Response:
    body = {"mirror_name": "twin", "source_root": "http://127.0.0.1:1/channel", **said}
    return mirrors.house.request(method, f"/api/channels/{path}", token, json=body)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    ("channel", "is_known", "answered"),
    [
        ("open", True, 403),
        ("open", False, 401),
        ("closed", True, 404),
        ("closed", False, 401),
        ("missing", True, 404),
    ],
)
def test_who_may_not_make_a_mirror_is_told_so_before_anything_else(
    mirrors: MirrorHouse,
    somebody: str,
    wrong: dict[str, Any],
    channel: str,
    is_known: bool,
    answered: int,
) -> None:
    for query in ("", "?dry_run=true"):
        answer = say(mirrors, f"{channel}/mirrors{query}", somebody if is_known else None, **wrong)
        assert answer.status == answered


@pytest.mark.parametrize("wrong", WRONG)
def test_who_may_not_change_a_mirror_is_told_so_before_anything_else(
    mirrors: MirrorHouse, upstream: Upstream, somebody: str, wrong: dict[str, Any]
) -> None:
    mirrors.mirror("open", upstream.url)
    for query in ("", "?dry_run=true"):
        assert say(mirrors, f"open/mirrors/twin{query}", somebody, "PUT", **wrong).status == 403


@pytest.mark.parametrize("wrong", WRONG)
def test_who_may_make_a_mirror_is_told_what_is_wrong(
    mirrors: MirrorHouse, somebody: str, wrong: dict[str, Any]
) -> None:
    assert say(mirrors, "open/mirrors", mirrors.session, **wrong).status == 400


# --- previews


def ask_for_preview(mirrors: MirrorHouse, upstream: Upstream) -> Response:
    return say(mirrors, "data/mirrors?dry_run=true", mirrors.session, source_root=upstream.url)


@pytest.fixture
def silent(mirrors: MirrorHouse, upstream: Upstream) -> Upstream:
    """It takes every request, and answers none."""
    mirrors.house.channel("data")
    upstream.misbehave("*", hang_before())
    return upstream


def test_third_preview_at_a_time_is_asked_to_come_back(
    mirrors: MirrorHouse, silent: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "LONGEST_SECONDS", 20)
    assert mirrors.session  # made once, for all threads
    answers: list[Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask_for_preview(mirrors, silent)))
        for _ in range(preview.AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: silent.count() == preview.AT_ONCE)
    answer = ask_for_preview(mirrors, silent)
    mirrors.packhouse.closing.set()  # ends the others
    for thread in threads:
        thread.join(20)
    assert (answer.status, answer.headers["retry-after"]) == (429, "10")
    assert answer.json()["message"] == "Other previews are being made. Try again in a moment."
    assert [one.status for one in answers] == [502] * preview.AT_ONCE


def test_preview_that_takes_too_long_ends_with_a_sentence(
    mirrors: MirrorHouse, silent: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "LONGEST_SECONDS", 0.6)
    answer = ask_for_preview(mirrors, silent)
    assert answer.status == 502
    expected = "The upstream could not be read within 1 s. Name fewer subdirs or specs."
    assert answer.json()["message"] == expected


def test_preview_that_ends_makes_room_for_others(mirrors: MirrorHouse, upstream: Upstream) -> None:
    mirrors.house.channel("data")
    ListedChannel(upstream.folder).write()
    answers = [ask_for_preview(mirrors, upstream) for _ in range(preview.AT_ONCE + 1)]
    assert [answer.status for answer in answers] == [200] * len(answers)
