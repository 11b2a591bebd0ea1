"""Tables: fixed widths for a pipe, fitted to a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from packhouse_client.terminal.tables import SEPARATOR, Column, cut, table, text_width

COLUMNS = (Column("Name", 8), Column("Files", 7, align_right=True), Column("License", 9))
PIPE = 0


def lines(*rows: tuple[object, ...], width: int = PIPE, columns: tuple[Column, ...] = COLUMNS) -> list[str]:
    return table(columns, rows, width=width).splitlines()


def test_pipe_gets_the_declared_widths() -> None:
    assert lines(("numpy", 3, "BSD")) == [
        "Name     |   Files | License",
        "-------- | ------- | ---------",
        "numpy    |       3 | BSD",
    ]


def test_long_cell_of_a_pipe_pushes_its_row() -> None:
    assert lines(("scikit-learn", 3, "BSD"))[2] == "scikit-learn |       3 | BSD"


def test_nothing_is_an_empty_cell() -> None:
    assert lines((None, 0, None))[2] == "         |       0 |"


def test_cell_of_several_lines_stays_on_one() -> None:
    assert lines(("a\n\tb", 1, "x"))[2].startswith("a b ")


def test_no_rows_leave_the_headings() -> None:
    assert len(lines()) == 2


def test_wide_terminal_gets_room_for_the_longest_cell() -> None:
    shown = lines(("scikit-learn", 3, "BSD"), ("numpy", 3, "BSD"), width=80)

    assert shown[3] == "numpy        |       3 | BSD"


def test_narrow_terminal_gets_no_padding() -> None:
    assert lines(("numpy", 3, "BSD"), width=23) == [
        "Name  | Files | License",
        "----- | ----- | -------",
        "numpy |     3 | BSD",
    ]


def test_cell_too_long_for_the_terminal_is_cut() -> None:
    shown = lines(("a-name-that-is-far-too-long", 3, "BSD"), width=30)

    assert shown[2] == "a-name-that… |     3 | BSD"
    assert max(map(len, shown)) <= 30


def test_terminal_too_narrow_for_anything_still_gets_every_column() -> None:
    assert lines(("numpy", 3, "BSD"), width=5)[2].count("|") == 2


def test_column_that_may_go_goes_when_the_terminal_is_too_narrow() -> None:
    columns = (Column("Name", 8), Column("Score", 7, may_be_left_out=True), Column("License", 9))

    assert lines(("numpy", "n/a", "BSD"), width=20, columns=columns)[0] == "Name     | License"
    assert lines(("numpy", "n/a", "BSD"), width=23, columns=columns)[0].count("|") == 2
    assert lines(("numpy", "n/a", "BSD"), columns=columns)[0].count("|") == 2


def test_only_as_many_columns_go_as_must() -> None:
    columns = tuple(Column(heading, 4, may_be_left_out=True) for heading in ("aaaa", "bbbb", "cccc"))

    assert lines(width=12, columns=columns)[0] == "aaaa | bbbb"


def test_wide_characters_count_for_two_columns() -> None:
    shown = lines(("日本", 1, "x"), ("abcd", 1, "x"), width=40)

    assert [text_width(line) for line in shown[2:]] == [text_width(shown[2])] * 2


def test_accent_of_its_own_takes_no_column() -> None:
    assert text_width("e\N{COMBINING ACUTE ACCENT}") == 1


def test_indent_is_taken_from_the_terminal() -> None:
    shown = table(COLUMNS, [("a-name-that-is-far-too-long", 3, "BSD")], indent=4, width=30).splitlines()

    assert all(line.startswith("    ") and len(line) <= 30 for line in shown)


@given(text=st.text(max_size=40), width=st.integers(1, 50))
def test_cut_text_is_a_beginning_that_fits(text: str, width: int) -> None:
    shown = cut(text, width)

    assert text_width(shown) <= width
    assert shown == text or text.startswith(shown.removesuffix("…"))


@given(
    rows=st.lists(st.tuples(st.text(max_size=60), st.integers(), st.text(max_size=60)), max_size=5),
    width=st.integers(30, 120),
)
def test_table_never_exceeds_a_terminal_with_room_for_its_columns(
    rows: list[tuple[str, int, str]], width: int
) -> None:
    for line in table(COLUMNS, rows, width=width).split("\n"):
        assert text_width(line) <= width
        assert line.count(SEPARATOR.strip()) >= 2
