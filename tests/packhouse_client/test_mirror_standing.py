"""How far a mirror is, and what became of it, in words."""

from typing import Any

import pytest

from packhouse_client.commands.mirror.standing import Rate, Standing
from packhouse_client.commands.mirror.summary import duration, summary, trouble
from packhouse_client.terminal.sizes import as_size


def a_mirror(state: str = "running", count: dict[str, Any] | None = None, **sync: Any) -> dict[str, Any]:
    none = {"active": 0, "passive": 0, "failed": 0, "removed": 0, "active_planned": 0}
    filtered = {"mirror_filtered": {"license": 0, "only_specs": 0}, "channel_filtered": {"license": 0}}
    still: dict[str, Any] = {
        "total_steps_count": 4,
        "current_step_number": 2,
        "current_step_description": "fetching files",
        "current_step_percentage": 50,
        "bytes_transfered": 0,
        "last_ckey": None,
        "last_exception": None,
    }
    return {"state": state, "sync_state": still | {"count": none | filtered | (count or {})} | sync}


def a_run(state: str = "completed", **counts: int) -> dict[str, Any]:
    none = dict.fromkeys(("added", "removed", "changed", "refused", "failed", "vanished"), 0)
    return {
        "state": state,
        "counts": none | counts,
        "bytes_transfered": 2_000_000,
        "started_at": "2026-01-01T00:00:00+00:00",
        "ended_at": "2026-01-01T00:00:12+00:00",
        "last_exception": None,
    }


# Standing


def test_line_has_step_files_bytes_rate_and_the_last_file() -> None:
    mirror = a_mirror(
        count={"active": 1234, "active_planned": 2000},
        bytes_transfered=1_200_000_000,
        bytes_planned=3_400_000_000,
        last_ckey="noarch/tool-1.0-0.conda",
    )

    assert Standing.of(mirror).line(12_300_000) == (
        "Step 2 of 4: fetching files (50 %); 1,234 of 2,000 files, 1.2 GB of 3.4 GB, 12 MB/s; "
        "noarch/tool-1.0-0.conda"
    )


def test_files_of_a_passive_mirror_are_counted_without_a_plan() -> None:
    assert Standing.of(a_mirror(count={"passive": 7})).figures(0.0) == "7 files"


def test_trouble_is_part_of_the_figures() -> None:
    standing = Standing.of(a_mirror(count={"active": 1, "failed": 2, "refused": 3}))

    assert standing.figures(0.0) == "1 file, 3 refused, 2 failed"


@pytest.mark.parametrize(
    ("state", "is_under_way"),
    [("pending", True), ("running", True), ("completed", False), ("stopped", False), ("failed", False)],
)
def test_run_is_under_way_until_it_has_ended(state: str, is_under_way: bool) -> None:
    assert Standing.of(a_mirror(state)).is_under_way is is_under_way


def test_pending_run_has_no_step_yet() -> None:
    standing = Standing.of(a_mirror("pending"))

    assert (standing.heading, standing.figures(0.0)) == ("Waiting to begin", "")


# Rate


def test_rate_is_that_of_the_last_ten_seconds() -> None:
    rate = Rate()
    assert rate.tell(0.0, 0) == 0.0
    assert rate.tell(5.0, 50) == 10.0
    assert rate.tell(14.0, 500) == 50.0


def test_rate_of_a_run_that_begins_anew_is_not_negative() -> None:
    rate = Rate()
    rate.tell(0.0, 1000)

    assert rate.tell(1.0, 0) == 0.0


# Summary


def test_summary_is_one_line_when_all_went_well() -> None:
    lines = list(summary("boa", a_mirror("completed"), a_run(added=1200, removed=1)))

    assert lines == [
        "Mirror boa completed: 1,200 added, 1 removed, 0 changed, 0 refused, 0 failed; 2.0 MB in 12 s."
    ]


def test_summary_names_what_was_left_out_and_how_to_see_why() -> None:
    count = {
        "mirror_filtered": {"license": 3, "date": 0, "only_specs": 12},
        "channel_filtered": {"license": 1},
    }

    lines = list(summary("boa", a_mirror("completed", count), a_run(refused=2, vanished=4)))

    assert lines[0].endswith("2 refused, 0 failed, 4 vanished; 2.0 MB in 12 s.")
    assert lines[1:] == [
        "Left out by the mirror's filters: license 3, only_specs 12.",
        "Left out by the channel: license 1.",
        "Why: conda repo mirror --changes boa --action refused",
    ]


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (a_run(), ""),
        (a_run("stopped"), "The run of mirror boa was stopped."),
        (
            a_run("failed") | {"last_exception": "The upstream answered 503."},
            "Mirror boa failed: The upstream",
        ),
        (a_run("failed"), "Mirror boa failed: the server does not say why."),
        (a_run(failed=1), "1 file did not come. Why: conda repo mirror --changes boa --action failed"),
        (a_run(failed=1200), "1,200 files did not come."),
    ],
)
def test_trouble_is_one_sentence(run: dict[str, Any], says: str) -> None:
    assert trouble("boa", run).startswith(says)
    assert bool(trouble("boa", run)) is bool(says)


def test_run_that_has_not_ended_took_no_time_yet() -> None:
    assert duration(a_run() | {"ended_at": None}) == ""


def test_long_duration_is_in_hours() -> None:
    assert duration(a_run() | {"ended_at": "2026-01-01T01:02:03.4+00:00"}) == "1:02:03"


# Sizes


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_951, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_400_000_000, "3.4 GB"),
        (10**15, "1.0 PB"),
        (10**19, "10000 PB"),
    ],
)
def test_sizes_are_in_powers_of_a_thousand(count: int, text: str) -> None:
    assert as_size(count) == text
