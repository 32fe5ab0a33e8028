"""CSV files of the console contain no formulas, whatever separator a spreadsheet reads them with, and can be imported again."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.jobs.tables import trim_cell
from console.ui.csv import FORMULA_SIGNS, csv_lines, safe_cell

SEPARATORS = (",", ";", "\t", "|")
# Texts of the characters that matter, which a generator of any text would rarely combine.
CELLS = st.text(st.sampled_from([*SEPARATORS, *FORMULA_SIGNS, *"\"' \r\nab"]), max_size=12)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=4)


def read_rows(text: str, separator: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=separator))


@given(ROWS, st.sampled_from(SEPARATORS), st.sampled_from(SEPARATORS))
def test_no_cell_starts_with_a_formula_whatever_separator_the_reader_uses(rows, written, read):
    text = "".join(csv_lines(rows, written))
    cells = [cell for row in read_rows(text, read) for cell in row]
    assert [cell for cell in cells if cell.lstrip(' "\t\r\n').startswith(tuple(FORMULA_SIGNS))] == []


@given(ROWS, st.sampled_from(SEPARATORS))
def test_an_exported_cell_is_imported_as_it_was(rows, separator):
    rows = [[cell.strip() for cell in row] for row in rows]
    text = "".join(csv_lines(rows, separator))
    assert [[trim_cell(cell) for cell in row] for row in read_rows(text, separator)] == rows


@pytest.mark.parametrize(
    ("text", "exported"),
    [
        ("x;=1+1;y", "x;'=1+1;y"),
        ('x;"=1+1"', 'x;"\'=1+1"'),
        ("a\n-1", "a\n'-1"),
        ("'=1", "''=1"),
        (" =1", " '=1"),
        ("\uff1d1", "'\uff1d1"),
        ("lamp-0001 - north", "lamp-0001 - north"),
        ("it's 5 > -1, or so", "it's 5 > -1, or so"),
        (-5, "-5"),
        (None, ""),
    ],
)
def test_an_apostrophe_precedes_only_what_may_become_a_formula(text, exported):
    assert safe_cell(text) == exported
