"""What is told of a run once it has ended."""

from tests.cli.upstream_channel import add_package
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream


def test_run_that_completed_is_at_the_end_of_its_last_step(mirrors: MirrorHouse, upstream: Upstream) -> None:
    add_package(upstream.folder, "fortune")
    mirrors.mirror("data", upstream.url)

    run = mirrors.run("data")

    assert (run.progress.step, run.progress.percentage) == (4, 100)


def test_run_that_failed_is_where_it_came_to(mirrors: MirrorHouse, upstream: Upstream) -> None:
    mirrors.mirror("data", upstream.url)

    run = mirrors.run("data")

    assert run.last_error is not None
    assert run.progress.step < 4


def test_asked_for_package_that_a_licence_keeps_out_is_counted_there_with_dependencies_too(
    mirrors: MirrorHouse, upstream: Upstream
) -> None:
    add_package(upstream.folder, "fortune")
    add_package(upstream.folder, "other")
    filters = {"only_specs": ["fortune"], "exclude_licenses": ["none"], "include_dependencies": True}
    mirrors.mirror("data", upstream.url, **filters)

    mirrors.run("data")

    assert mirrors.counts("data")["mirror_filtered"] == {"license": 1, "only_specs": 1}
