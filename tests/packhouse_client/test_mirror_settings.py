"""What the options of `mirror` become in the words of the API."""

from typing import Any

import pytest

from packhouse_client.commands.mirror.settings import (
    LICENSES,
    SUBDIRS,
    changed_specification,
    new_specification,
)
from packhouse_client.errors import WrongUsage

SOURCE = {"--source": "https://packages.example.org/forge"}
MIRROR: dict[str, Any] = {
    "mirror_id": "29a15c15",
    "mirror_name": "boa",
    "source_root": "https://packages.example.org/forge",
    "mirror_mode": "active",
    "mirror_type": "conda",
    "cron": "5 4 * * 1",
    "timezone": "Europe/Berlin",
    "proxy": "http://ann:***@proxy.example.org:3128",
    "filters": {"only_specs": ["numpy"], "include_licenses": ["mit"], "date_from": "2026-01-01"},
    "on_vanished": "flag",
    "use_channel_policy": False,
    "policy_id": "p1",
    "state": "completed",
    "last_run_at": None,
    "sync_state": {},
}


def filters(**given: Any) -> Any:
    options = {f"--{name}": value for name, value in given.items()}
    return new_specification("boa", SOURCE | options)["filters"]


def test_new_mirror_is_passive_of_conda_and_runs_at_midnight() -> None:
    assert new_specification("boa", SOURCE) == {
        "mirror_name": "boa",
        "source_root": "https://packages.example.org/forge",
        "mirror_mode": "passive",
        "mirror_type": "conda",
        "cron": "0 0 * * *",
        "filters": {},
    }


def test_new_mirror_without_a_source_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="--source URL"):
        new_specification("boa", {})


def test_update_keeps_all_that_was_not_given() -> None:
    specification = changed_specification(MIRROR, {"--cron": "0 3 * * *"})

    kept = {
        key: MIRROR[key] for key in MIRROR if key not in ("mirror_id", "state", "last_run_at", "sync_state")
    }
    assert specification == kept | {"cron": "0 3 * * *"}


def test_update_does_not_touch_the_mirror_it_was_given() -> None:
    changed_specification(MIRROR, {"--licenses": "", "--only_spec": [""]})

    assert MIRROR["filters"] == {
        "only_specs": ["numpy"],
        "include_licenses": ["mit"],
        "date_from": "2026-01-01",
    }


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"--licenses": ""}, {"only_specs": ["numpy"], "date_from": "2026-01-01"}),
        ({"--only_spec": [""]}, {"include_licenses": ["mit"], "date_from": "2026-01-01"}),
        ({"--date_from": ""}, {"only_specs": ["numpy"], "include_licenses": ["mit"]}),
    ],
)
def test_empty_value_takes_a_filter_away(given: dict[str, Any], left: dict[str, Any]) -> None:
    assert changed_specification(MIRROR, given)["filters"] == left


def test_empty_value_takes_proxy_and_policy_away() -> None:
    changed = changed_specification(MIRROR, {"--proxy": "", "--policy-id": ""})

    assert (changed["proxy"], changed["policy_id"]) == (None, None)


def test_given_filter_replaces_that_filter_only() -> None:
    changed = changed_specification(MIRROR, {"--licenses": "-agpl,bsd"})

    assert changed["filters"] == {
        "only_specs": ["numpy"],
        "include_licenses": ["bsd"],
        "exclude_licenses": ["agpl"],
        "date_from": "2026-01-01",
    }


@pytest.mark.parametrize(
    ("text", "included", "excluded"),
    [
        ("mit", ["mit"], None),
        ("+mit, apache", ["mit", "apache"], None),
        ("-public_domain,-none,mit,apache,agpl", ["mit", "apache", "agpl"], ["public_domain", "none"]),
        ("\N{EN DASH}none MIT", ["mit"], ["none"]),
        ("public-domain", ["public_domain"], None),
    ],
)
def test_licences_are_included_unless_a_hyphen_is_before_them(
    text: str, included: list[str], excluded: list[str] | None
) -> None:
    found = filters(licenses=text)

    assert (found["include_licenses"], found.get("exclude_licenses")) == (included, excluded)


@pytest.mark.parametrize(
    "text", ["noarch, osx-64", "noarch,osx-64", "noarch osx-64", "NOARCH,osx-64,noarch", " noarch ,, osx-64 "]
)
def test_subdirs_are_separated_by_commas_or_blanks(text: str) -> None:
    assert filters(subdirs=text)["subdirs"] == ["noarch", "osx-64"]


def test_platforms_that_the_document_misprints_are_understood() -> None:
    assert filters(subdirs="linux-armv6I,linux-armv7I")["subdirs"] == ["linux-armv6l", "linux-armv7l"]


def test_all_other_filters_have_the_words_of_the_api() -> None:
    found = filters(
        projects="rxnpy,sympad",
        exclude_spec=["pytorch"],
        include_spec=["pytorch==1.21.1", " "],
        cve_score="7.1",
        exclude_uncurated_cve_packages="True",
        only_signed="y",
        date_from="2022-03-01",
        date_to="2022-05-15",
    )

    assert found == {
        "projects": ["rxnpy", "sympad"],
        "exclude_specs": ["pytorch"],
        "include_specs": ["pytorch==1.21.1"],
        "cve_score_threshold": 7.1,
        "exclude_non_curated_cve": True,
        "only_signed": True,
        "date_from": "2022-03-01",
        "date_to": "2022-05-15",
    }


def test_false_is_as_good_as_not_said() -> None:
    found = changed_specification(MIRROR | {"filters": {"only_signed": True}}, {"--only_signed": "No"})

    assert found["filters"] == {}


def test_empty_cron_is_a_mirror_that_runs_when_it_is_told_to() -> None:
    assert changed_specification(MIRROR, {"--cron": ""})["cron"] == ""


def test_score_of_zero_is_a_threshold() -> None:
    assert filters(cve_score="0")["cve_score_threshold"] == 0.0


def test_words_are_understood_in_any_case() -> None:
    made = new_specification("boa", SOURCE | {"--type": "cran", "--mode": "Active", "--on-vanished": "DROP"})

    assert (made["mirror_type"], made["mirror_mode"], made["on_vanished"]) == ("CRAN", "active", "drop")


def test_policy_of_its_own_takes_the_place_of_the_channels() -> None:
    made = new_specification("boa", SOURCE | {"--policy-id": "p1"})
    said = new_specification("boa", SOURCE | {"--policy-id": "p1", "--use-channel-policy": "True"})

    assert (made["policy_id"], made["use_channel_policy"]) == ("p1", False)
    assert said["use_channel_policy"] is True


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"--source": "packages.example.org"}, "no address"),
        ({"--source": "https://"}, "no address"),
        ({"--source": "ftp://packages.example.org"}, "no address"),
        ({"--source": "http://packages.example.org:port"}, "no address"),
        ({"--source": "http://[::1"}, "no address"),
        ({"--proxy": "proxy:3128"}, "http://HOST:PORT"),
        ({"--cron": "0 0 * *"}, "has 4 fields, not 5"),
        ({"--mode": "lazy"}, "'lazy' is no mode. Choose from: active, passive."),
        ({"--type": "deb"}, "conda, python_simple, CRAN"),
        ({"--on-vanished": "panic"}, "keep, flag, drop"),
        ({"--name": " "}, "--name is empty"),
        ({"--use-channel-policy": "maybe"}, "'maybe' after --use-channel-policy is neither True nor False"),
        (
            {"--subdirs": "linux-63"},
            f"Did you mean 'linux-64' or 'linux-32'? Choose from: {', '.join(SUBDIRS)}",
        ),
        ({"--licenses": "mit,-gpl"}, f"'gpl' is no licence word.*{', '.join(LICENSES)}"),
        ({"--licenses": "mit,-mit"}, "'mit' is both included and excluded"),
        ({"--cve_score": "10.1"}, "CVE Score has to be between 0.0 and 10.0"),
        ({"--cve_score": "-1"}, "CVE Score has to be between 0.0 and 10.0"),
        ({"--cve_score": "nan"}, "CVE Score has to be between 0.0 and 10.0"),
        ({"--cve_score": "high"}, "CVE Score has to be between 0.0 and 10.0"),
        ({"--date_from": "01.03.2022"}, "'01.03.2022' after --date_from is no date"),
        ({"--date_from": "2022-05-15", "--date_to": "2022-03-01"}, "swap them"),
        ({"--date_from": "2022-01-01", "--date_to": "2023-06-01"}, "more than one year"),
        ({"--only_spec": ["a"], "--exclude_spec": ["b"]}, "Can't combine only_specs with exclude_specs"),
        ({"--only_spec": ["a"], "--include_spec": ["b"]}, "Can't combine only_specs with exclude_specs"),
    ],
)
def test_what_makes_no_sense_is_named_with_the_way_out(given: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongUsage, match=says.replace("?", r"\?")):
        new_specification("boa", SOURCE | given)


@pytest.mark.parametrize(
    "proxy", ["ann:geheim@proxy", "http://ann:geheim#1@proxy", "http://ann:12#geheim@proxy"]
)
def test_password_of_a_proxy_that_is_no_address_is_not_shown(proxy: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        new_specification("boa", SOURCE | {"--proxy": proxy})

    assert "geheim" not in str(caught.value)


def test_combination_with_what_the_mirror_has_already_is_refused() -> None:
    with pytest.raises(WrongUsage, match='--only_spec ""'):
        changed_specification(MIRROR, {"--exclude_spec": ["scipy"]})


def test_filter_that_is_taken_away_makes_room_for_another() -> None:
    changed = changed_specification(MIRROR, {"--exclude_spec": ["scipy"], "--only_spec": [""]})

    assert changed["filters"]["exclude_specs"] == ["scipy"]
    assert "only_specs" not in changed["filters"]
