"""Specifications that no run could work with: refused before anything is kept, each by its name."""

from typing import Any

import pytest

from tests.mirroring import MirrorHouse
from tests.upstream import Upstream

WORDS = "agpl, gpl2, gpl3, lgpl, bsd, mit, apache, psf, public_domain, proprietary, other, none"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cron": "every day"}, "'every day' is no cron line"),
        ({"cron": "61 * * * *"}, "'61 * * * *' is no cron line"),
        (
            {"timezone": "Mars/Olympus"},
            "'Mars/Olympus' is no time zone; write one such as UTC or Europe/Berlin.",
        ),
        ({"timezone": "../etc/passwd"}, "'../etc/passwd' is no time zone"),
        ({"source_root": "ftp://host/channel"}, "'ftp://host/channel' is not understood"),
        ({"source_root": "not a url"}, "The source"),
        ({"source_root": "https://bob:secret@host/"}, "holds a password"),
        ({"source_root": "file:///etc"}, "file_upstreams"),
        ({"proxy": "socks5://host:1"}, "The proxy is not understood"),
        ({"mirror_name": "../up"}, "'../up' is no name for a mirror"),
        ({"mirror_type": "CRAN"}, "CRAN"),
        ({"mirror_mode": "lazy"}, "active"),
        ({"on_vanished": "forget"}, "keep"),
        ({"filters": {"only_specs": ["numpy >>=1"]}}, "numpy >>=1"),
        ({"filters": {"exclude_specs": ["[bad"]}}, "[bad"),
        ({"filters": {"only_specs": ["a"], "exclude_specs": ["b"]}}, "Can't combine only_specs"),
        ({"filters": {"include_licenses": ["beer"]}}, f"'beer' is no licence word. Known are: {WORDS}."),
        ({"filters": {"exclude_licenses": ["mit"], "include_licenses": ["MIT"]}}, "'mit' is both"),
        (
            {"filters": {"subdirs": ["linux"]}},
            "'linux' is no subdir: write noarch or a platform such as linux-64",
        ),
        ({"filters": {"date_from": "yesterday"}}, "'date_from' is a day such as 2026-01-31"),
        ({"filters": {"date_from": "2026-02-01", "date_to": "2026-01-01"}}, "lies after date_to"),
        ({"filters": {"date_from": "2024-01-01", "date_to": "2026-01-01"}}, "more than one year"),
        ({"filters": {"cve_score_threshold": 11}}, "not between 0.0 and 10.0"),
        ({"filters": {"only_sign": True}}, "'only_sign' is no filter of a mirror. Known are: subdirs"),
        ({"filters": {"only_specs": "numpy"}}, "'only_specs' is a list of words"),
    ],
)
def test_wrong_word_is_named_with_the_valid_ones(
    mirrors: MirrorHouse, upstream: Upstream, wrong: dict[str, Any], said: str
) -> None:
    mirrors.mirror("data", upstream.url, name="there")
    right = {"mirror_name": "twin", "source_root": upstream.url}
    for method, path in (("POST", ""), ("POST", "?dry_run=true"), ("PUT", "/there")):
        answer = mirrors.house.request(
            method, f"/api/channels/data/mirrors{path}", mirrors.session, json={**right, **wrong}
        )
        assert answer.status == 400, answer.body
        assert said in answer.json()["message"]
        assert "secret" not in answer.json()["message"]
    assert [one["mirror_name"] for one in mirrors.api("/api/channels/data/mirrors")["items"]] == ["there"]
    assert upstream.log == []
