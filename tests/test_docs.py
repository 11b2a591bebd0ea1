"""What is written is true: reference pages match the code, and whatever exists is documented."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from packhouse.actions.reindex import CHANNELDATA, CURRENT_REPODATA, REPODATA, RUN_EXPORTS
from packhouse.jobs import runner
from packhouse.settings import Settings
from packhouse.web.protocols.resolve import SHARD_INDEX
from packhouse_client.client import PackhouseClient
from scripts.make_reference import PAGES, REFERENCE

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES_OF_TEXT = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("bench/*.md"), *ROOT.glob("tests/data/*.md")]
)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
FENCED = re.compile(r"```.*?```", re.DOTALL)
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Text and target of the links to something in this repository."""
    for text, target in LINK.findall(FENCED.sub("", page.read_text())):
        if "://" not in target and not target.startswith(("#", "mailto:")):
            yield text, target.partition("#")[0]


@pytest.mark.parametrize("page", PAGES)
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    written = (REFERENCE / page).read_text()

    assert written == PAGES[page](), f"{page} is out of date: run scripts/make_reference.py"


@pytest.mark.parametrize("page", PAGES_OF_TEXT, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    missing = [target for _, target in links(page) if not (page.parent / target).exists()]

    assert missing == []


def test_every_name_in_the_architecture_is_in_the_file_that_it_links() -> None:
    page = DOCS / "architecture.md"
    named = [(text.strip("`"), page.parent / target) for text, target in links(page) if text.startswith("`")]

    gone = [name for name, file in named if not re.search(rf"(?:def|class) {name}\b", file.read_text())]

    assert len(named) > 30
    assert gone == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    to_read = [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = [(page.parent / target).resolve() for _, target in links(page)]
        to_read += [target for target in targets if target.suffix == ".md"]
        to_read += [inner for target in targets if target.is_dir() for inner in target.glob("*.md")]

    assert sorted(set(DOCS.rglob("*.md")) - reached) == []


def test_every_setting_has_a_sentence() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_operation_of_the_api_has_a_sentence() -> None:
    sections = re.split(r"^### ", (REFERENCE / "api.md").read_text(), flags=re.MULTILINE)[1:]

    assert [section.splitlines()[0] for section in sections if not section.splitlines()[2].strip()] == []
    assert [section for section in sections if "\nNone\n" in section] == []


def test_every_job_is_in_the_operator_s_guide() -> None:
    source = Path(runner.__file__).read_text()
    jobs = [getattr(runner, name) for name in re.findall(r"@DBOS\.workflow\(name=(\w+)\)", source)]
    guide = (DOCS / "guides" / "operate.md").read_text()

    assert jobs
    assert [job for job in jobs if f"| `{job}` |" not in guide] == []


def test_every_document_is_in_the_page_on_content() -> None:
    page = (REFERENCE / "content.md").read_text()

    names = (REPODATA, RUN_EXPORTS, CURRENT_REPODATA, CHANNELDATA, SHARD_INDEX)
    assert [name for name in names if f"`{name}`" not in page and f"/{name}`" not in page] == []


def test_decisions_are_numbered_without_gaps_and_say_question_choice_and_price() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))

    assert [int(page.name[:4]) for page in decisions] == list(range(1, len(decisions) + 1))
    for page in decisions:
        headings = re.findall(r"^## (\w+)", page.read_text(), re.MULTILINE)
        assert {"Question", "Choice", "Price"} <= set(headings), page.name


def commands() -> list[str]:
    """Every line of a shell block in the pages that people follow."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(DOCS / "guides").glob("*.md")]
    blocks = [block for page in pages for block in SHELL.findall(page.read_text())]
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_make_targets_in_the_text_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        match[1]
        for page in PAGES_OF_TEXT
        for match in re.finditer(r"(?:`|^)make ([a-z]+)", page.read_text(), re.M)
    }

    assert {"demo", "test"} <= named
    assert named - targets == set()


@pytest.mark.parametrize(
    ("page", "program", "typed"),
    [
        ("operator.md", "packhouse", r"(?:\.venv/bin/)?packhouse (.*)"),
        ("cli.md", "conda repo", r"(?:conda|anaconda) repo ([a-z].*)|(?:\.venv/bin/)?conda-repo ([a-z].*)"),
    ],
)
def test_commands_in_the_text_exist_with_their_options(page: str, program: str, typed: str) -> None:
    reference = (REFERENCE / page).read_text()
    sections = {section.partition("`")[0]: section for section in reference.split(f"\n## `{program} ")[1:]}
    found = [re.fullmatch(typed, re.sub(r" *#.*", "", line)) for line in commands()]
    asked = [next(group for group in match.groups() if group) for match in found if match]

    assert asked
    for words in asked:
        [command] = [name for name in sections if f"{words} ".startswith(f"{name} ")]
        for option in re.findall(r"--[a-z-]+", words):
            assert option in sections[command], words


def test_scripts_in_the_text_exist() -> None:
    scripts = {word for line in commands() for word in line.split() if word.startswith((".ci/", "scripts/"))}

    assert [script for script in scripts if not (ROOT / script).exists()] == []


def test_the_readme_is_one_screen_with_two_set_up_commands() -> None:
    text = (ROOT / "README.md").read_text()

    assert len(text.splitlines()) <= 60
    assert re.findall(r"^make \w+", text, re.MULTILINE) == ["make demo", "make test"]


def test_the_client_is_documented_with_a_method_that_exists() -> None:
    example = re.search(
        r"```python\n(.*?)```", (DOCS / "guides" / "publish-and-install.md").read_text(), re.DOTALL
    )
    assert example is not None
    compile(example[1], "example", "exec")
    assert all(hasattr(PackhouseClient, name) for name in re.findall(r"client\.(\w+)\(", example[1]))
