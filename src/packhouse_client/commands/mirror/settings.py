"""What the options say of a mirror: checked, and put into the words of the API."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from packhouse_client.commands.mirror.arguments import FALSE, TRUE
from packhouse_client.commands.options import PLATFORMS
from packhouse_client.errors import WrongUsage
from packhouse_client.suggestions import did_you_mean
from packhouse_client.wire.connection import Document

MODES = ("active", "passive")
TYPES = ("conda", "python_simple", "CRAN")
WHEN_VANISHED = ("keep", "flag", "drop")
SUBDIRS = (
    *PLATFORMS,
    *("linux-riscv32", "linux-riscv64", "win-arm64", "freebsd-64", "emscripten-wasm32", "wasi-wasm32"),
)
MISPRINTED = {"linux-armv6i": "linux-armv6l", "linux-armv7i": "linux-armv7l"}
"""The reference document spells these platforms with a capital I."""
LICENSES = (
    *("agpl", "gpl2", "gpl3", "lgpl", "bsd", "mit", "apache", "psf"),
    *("public_domain", "proprietary", "other", "none"),
)
DASHES = str.maketrans("‐‑–—−", "-----")
SEPARATORS = re.compile(r"[,\s]+")
HIGHEST_CVE_SCORE = 10.0
CRON_FIELDS = 5
LONGEST_WINDOW_DAYS = 366
"""Of `--date_from` and `--date_to`: one year."""
DEFAULTS: Mapping[str, str] = {"mirror_mode": "passive", "mirror_type": "conda", "cron": "0 0 * * *"}
KEPT = (
    *("mirror_name", "source_root", "mirror_mode", "mirror_type", "cron", "timezone", "proxy", "filters"),
    *("on_vanished", "use_channel_policy", "policy_id"),
)
"""What is said of a mirror, in the object that the server shows; the rest is what became of it."""

Read = Callable[[str], Document]
"""From the text of an option to fields of the API; the value None takes away."""
Given = Mapping[str, str | Sequence[str]]
"""What was given on the command line, by option; several texts where an option may be repeated."""


def new_specification(name: str, given: Given) -> Document:
    """Of a mirror that is to be made. Raises WrongUsage for what makes no sense."""
    if "--source" not in given:
        raise WrongUsage(f"Where does mirror {name} take its packages from? Give --source URL.")
    return changed_specification({**DEFAULTS, "mirror_name": name, "filters": {}}, given)


def changed_specification(mirror: Mapping[str, Any], given: Given) -> Document:
    """All that is said of a mirror, with what was given in place of what was. Raises WrongUsage."""
    specification = {key: mirror[key] for key in KEPT if key in mirror}
    for option, read in FIELDS.items():
        if option in given:
            specification |= read(str(given[option]))
    filters = dict(mirror["filters"])
    for option, value in given.items():
        if option in SPECS:
            filters[SPECS[option]] = [text.strip() for text in value if text.strip()]
        elif option in FILTERS:
            filters |= FILTERS[option](str(value))
    specification["filters"] = {key: value for key, value in filters.items() if _is_said(value)}
    _check_together(specification["filters"])
    return specification


def _is_said(value: object) -> bool:
    """Whether a filter filters anything: a score of 0 does."""
    return not (value is None or value is False or value == [])


def _check_together(filters: Mapping[str, Any]) -> None:
    if "only_specs" in filters and ("exclude_specs" in filters or "include_specs" in filters):
        raise WrongUsage(
            "Can't combine only_specs with exclude_specs and include_specs. What a mirror has already is taken "
            'away with an empty value, as --only_spec "".'
        )
    if both := set(filters.get("include_licenses", ())) & set(filters.get("exclude_licenses", ())):
        raise WrongUsage(f"Licence '{min(both)}' is both included and excluded; choose one.")
    if "date_from" in filters and "date_to" in filters:
        first, last = (date.fromisoformat(filters[key]) for key in ("date_from", "date_to"))
        if first > last:
            raise WrongUsage(f"--date_from {first} lies after --date_to {last}; swap them.")
        if (last - first).days > LONGEST_WINDOW_DAYS:
            raise WrongUsage(f"From {first} to {last} is more than one year, the longest span.")


def _text(key: str, text: str) -> Document:
    return {key: text.strip() or None}


def _name(text: str) -> Document:
    if not text.strip():
        raise WrongUsage("The new --name is empty.")
    return {"mirror_name": text.strip()}


def _choice(option: str, key: str, words: Sequence[str], text: str) -> Document:
    """One of the words, in whatever case it is written."""
    for word in words:
        if text.strip().lower() == word.lower():
            return {key: word}
    raise WrongUsage(f"'{text}' is no {option}. Choose from: {', '.join(words)}.")


def _flag(option: str, key: str, text: str) -> Document:
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise WrongUsage(f"'{text}' after {option} is neither True nor False.")
    return {key: word in TRUE}


def _source(text: str) -> Document:
    url = text.strip()
    parts = _parts("--source", url)
    is_folder = parts.scheme == "file" and parts.path.startswith("/")
    if not is_folder and not (parts.scheme in ("http", "https") and parts.hostname):
        raise WrongUsage(f"The --source '{url}' is no address: write one such as https://HOST/CHANNEL.")
    return {"source_root": url}


def _proxy(text: str) -> Document:
    url = text.strip()
    if not url:
        return {"proxy": None}
    parts = _parts("--proxy", url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise WrongUsage(
            "The --proxy is no address: write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, "
            "with %23 for '#' in the password."
        )
    return {"proxy": url}


def _parts(option: str, url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError as error:
        # What the error tells may be a part of a password.
        raise WrongUsage(f"The {option} is no address: its host or port cannot be read.") from error
    return parts


def _cron(text: str) -> Document:
    """An empty one never comes round: such a mirror runs when it is told to."""
    fields = text.split()
    if fields and len(fields) != CRON_FIELDS:
        raise WrongUsage(
            f"The --cron '{text}' has {len(fields)} fields, not {CRON_FIELDS}: minute, hour, day of the month, "
            "month, day of the week, as '0 3 * * 1-5'."
        )
    return {"cron": " ".join(fields)}


def _words(text: str) -> list[str]:
    """Of a list with commas, with blanks or both."""
    return [word for word in SEPARATORS.split(text.translate(DASHES)) if word]


def _subdirs(text: str) -> Document:
    words = [MISPRINTED.get(word.lower(), word.lower()) for word in _words(text)]
    for word in words:
        if word not in SUBDIRS:
            raise WrongUsage(
                f"'{word}' is no subdir.{did_you_mean(word, SUBDIRS)} Choose from: {', '.join(SUBDIRS)}."
            )
    return {"subdirs": list(dict.fromkeys(words))}


def _projects(text: str) -> Document:
    return {"projects": list(dict.fromkeys(_words(text)))}


def _licenses(text: str) -> Document:
    included: list[str] = []
    excluded: list[str] = []
    for word in _words(text):
        license = word.lstrip("+-").lower().replace("-", "_")
        if license not in LICENSES:
            raise WrongUsage(
                f"'{license}' is no licence word.{did_you_mean(license, LICENSES)} Choose from: "
                f"{', '.join(LICENSES)}."
            )
        (excluded if word.startswith("-") else included).append(license)
    return {"include_licenses": included, "exclude_licenses": excluded}


def _cve_score(text: str) -> Document:
    if not text.strip():
        return {"cve_score_threshold": None}
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 <= score <= HIGHEST_CVE_SCORE:
        raise WrongUsage("CVE Score has to be between 0.0 and 10.0")
    return {"cve_score_threshold": score}


def _day(option: str, key: str, text: str) -> Document:
    if not text.strip():
        return {key: None}
    try:
        return {key: date.fromisoformat(text.strip()).isoformat()}
    except ValueError as error:
        raise WrongUsage(f"'{text}' after {option} is no date: write it as 2026-01-31.") from error


FIELDS: Mapping[str, Read] = {
    "--source": _source,
    "--name": _name,
    "--mode": partial(_choice, "mode", "mirror_mode", MODES),
    "--type": partial(_choice, "type", "mirror_type", TYPES),
    "--cron": _cron,
    "--timezone": partial(_text, "timezone"),
    "--proxy": _proxy,
    "--on-vanished": partial(_choice, "--on-vanished", "on_vanished", WHEN_VANISHED),
    # in this order: a policy of its own takes the place of the channel's, unless the other says so
    "--policy-id": lambda text: {"policy_id": text or None} | ({"use_channel_policy": False} if text else {}),
    "--use-channel-policy": partial(_flag, "--use-channel-policy", "use_channel_policy"),
}
FILTERS: Mapping[str, Read] = {
    "--subdirs": _subdirs,
    "--projects": _projects,
    "--licenses": _licenses,
    "--cve_score": _cve_score,
    "--exclude_uncurated_cve_packages": partial(
        _flag, "--exclude_uncurated_cve_packages", "exclude_non_curated_cve"
    ),
    "--only_signed": partial(_flag, "--only_signed", "only_signed"),
    "--date_from": partial(_day, "--date_from", "date_from"),
    "--date_to": partial(_day, "--date_to", "date_to"),
    "--include-dependencies": partial(_flag, "--include-dependencies", "include_dependencies"),
}
SPECS: Mapping[str, str] = {
    "--only_spec": "only_specs",
    "--exclude_spec": "exclude_specs",
    "--include_spec": "include_specs",
}
SETTINGS = (*FIELDS, *FILTERS, *SPECS)
