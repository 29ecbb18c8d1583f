"""Excel workbooks: what people see in a sheet is what is read, and what they cannot see is told."""

import datetime as dt
import io
import sys
import zipfile

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from connectors import workbook_parts
from connectors.lines import Limits
from connectors.unpack import PackedFile
from connectors.workbook import open_workbook
from schemas.errors import SourceError
from schemas.tables import Workbook


def saved(book):
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def book_of(rows, *, formats=None, title="Customers"):
    """A workbook of one sheet; `formats` are number formats by cell."""
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    for cell, code in (formats or {}).items():
        book.active[cell].number_format = code
    return book


LIMITS = Limits()
moment = dt.datetime.fromisoformat
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PARTS = "http://schemas.openxmlformats.org/package/2006/relationships"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def handmade(rows, *, prefix="", before="", strings=None, ahead="", after=""):
    """A workbook as other programs write it: `rows` is the inside of its one sheet's data."""
    x, ns = (f"{prefix}:", f'xmlns:{prefix}="{MAIN}"') if prefix else ("", f'xmlns="{MAIN}"')

    def relations(*kinds):
        each = "".join(f'<Relationship Id="{i}" Type="{KINDS}/{k}" Target="{t}"/>' for i, k, t in kinds)
        return f'{HEAD}<Relationships xmlns="{PARTS}">{each}</Relationships>'

    sheets = f'<{x}sheets><{x}sheet name="S" sheetId="1" r:id="r1"/></{x}sheets>'
    types = {"/xl/workbook.xml": "sheet.main", "/xl/worksheets/s.xml": "worksheet", "/xl/t.xml": "sharedStrings"}
    overrides = "".join(
        f'<Override PartName="{part}" ContentType="{SPREADSHEET}.{kind}+xml"/>'
        for part, kind in types.items()
        if strings or kind != "sharedStrings"
    )
    data = f"<{x}sheetData>{rows}</{x}sheetData>"
    parts = {
        "[Content_Types].xml": f'{HEAD}<Types xmlns="{TYPES}">{overrides}</Types>',
        "_rels/.rels": relations(("r1", "officeDocument", "/xl/workbook.xml")),
        "xl/_rels/workbook.xml.rels": relations(
            ("r1", "worksheet", "worksheets/s.xml"), *([("r2", "sharedStrings", "/xl/t.xml")] if strings else [])
        ),
        "xl/workbook.xml": f'{HEAD}<{x}workbook {ns} xmlns:r="{KINDS}">{sheets}</{x}workbook>',
        "xl/worksheets/s.xml": f"{HEAD}{before}<{x}worksheet {ns}>{ahead}{data}{after}</{x}worksheet>",
    }
    if strings:
        parts["xl/t.xml"] = f'{HEAD}<sst xmlns="{MAIN}">{strings}</sst>'
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return held.getvalue()


def cell(value, kind="", name="v"):
    return f"<c{kind and f' t={kind!r}'}><{name}>{value}</{name}></c>"


HEADER = f"<row>{cell('a', 'str')}</row>"


@pytest.fixture(scope="module")
def open_book(tmp_path_factory):
    """A function that opens bytes as a workbook."""
    path = tmp_path_factory.mktemp("book") / "t.xlsx"

    def opening(content, *, limits=LIMITS, **written):
        path.write_bytes(content if isinstance(content, bytes) else saved(content))
        return open_workbook(PackedFile(path, "customers"), Workbook(**written), limits)

    return opening


@pytest.fixture(scope="module")
def read(open_book):
    """A function that reads a workbook: (row number, values)."""

    def reading(content, **how):
        rows = []
        for batch in open_book(content, **how).batches(0):
            batch.rows.validate(full=True)
            values = [column.to_pylist() for column in batch.rows.columns]
            rows += zip(batch.lines.to_pylist(), *values, strict=True)
        return rows

    return reading


def only(rows):
    """The one value there is."""
    ((_, value),) = rows
    return value


def test_rows_have_the_sheets_numbers_and_empty_cells_are_null(read):
    book = book_of([["no", "name"], ["0091", "Zoë"], [], [None, "王伟"], [" ", ""], ["0092", None]])
    assert read(book) == [(2, "0091", "Zoë"), (4, None, "王伟"), (6, "0092", None)]


def test_a_table_may_begin_anywhere(read):
    book = openpyxl.Workbook()
    for at, value in {"B2": "Report", "C5": "no", "E5": "name", "C6": "1", "E6": "Ann", "C8": "2"}.items():
        book.active[at] = value
    assert read(book, header_row=5) == [(6, "1", "Ann"), (8, "2", None)]


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("00042", "General", "00042"),
        (42, "00000", "00042"),
        (1234567, "00000", "1234567"),
        (-42, "00000", "-42"),
        (4.5, "00000", "4.5"),
        (919812345678, "General", "919812345678"),
        (919812345678.0, "0", "919812345678"),
        (100.0, "General", "100"),
        (12.5, "#,##0.00", "12.5"),
        (1e-7, "General", "0.0000001"),
        (-0.0, "General", "0"),
        (0.15, "0%", "0.15"),
        (True, "General", "true"),
        (False, "General", "false"),
        (dt.date(2024, 2, 29), "yyyy-mm-dd", "2024-02-29"),
        (moment("2024-02-29"), "dd/mm/yy hh:mm", "2024-02-29T00:00:00"),
        (moment("2024-02-29T13:05:09"), "m/d/yyyy", "2024-02-29T13:05:09"),
        (moment("2024-02-29T13:05:09.250"), "yyyy-mm-dd hh:mm:ss", "2024-02-29T13:05:09.250"),
        (moment("2024-12-31T23:59:59"), "hh:mm", "2024-12-31T23:59:59"),
        (dt.time(7, 30), "h:mm AM/PM", "07:30:00"),
        (dt.timedelta(hours=26, minutes=3), "[h]:mm:ss", "26:03:00"),
        (45351, '[$-409]d"th of "mmmm yyyy;@', "2024-02-29"),
        (45351, "mmm", "2024-02-29"),
        (45351, '"day "0', "45351"),
        (45351, "[$€-407]#,##0;[Red]-0", "45351"),
        (42, '"No. "000', "42"),
        (0, "yyyy-mm-dd", "1900-01-00"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (0.5, "yyyy-mm-dd hh:mm", "1900-01-00T12:00:00"),
        (45351 + (36_000 + 1e-6) / 86_400, "yyyy-mm-dd hh:mm:ss", "2024-02-29T10:00:00"),
        (45351 + (36_000 - 1e-6) / 86_400, "yyyy-mm-dd hh:mm:ss", "2024-02-29T10:00:00"),
        ((36_000 - 1e-6) / 86_400, "hh:mm:ss", "10:00:00"),
        ((90_000 - 1e-6) / 86_400, "[h]:mm:ss", "25:00:00"),
    ],
)
def test_a_cell_says_what_people_see(read, value, code, text):
    assert only(read(book_of([["a"], [value]], formats={"A2": code}))) == text


@pytest.mark.parametrize(("day", "text"), [(dt.date(2024, 2, 29), "2024-02-29"), (dt.date(1904, 1, 1), "1904-01-01")])
def test_dates_know_the_workbooks_beginning_of_time(read, day, text):
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    for row in (["a"], [day]):
        book.active.append(row)
    assert only(read(book)) == text


text_cells = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20).filter(
    lambda text: text.strip() and not ILLEGAL_CHARACTERS_RE.search(text) and "_x" not in text and text[0] not in "=#"
)


@given(rows=st.lists(st.tuples(text_cells, text_cells), min_size=1, max_size=5))
@example(rows=[("0001", " a\n\tb "), ("1e5", "2024-01-02"), ("&<>\"'", "😀\u2028")])
@settings(deadline=None, max_examples=40)
def test_text_that_openpyxl_writes_comes_back(read, rows):
    found = read(book_of([["a", "b"], *rows]))
    assert found == [(number, *row) for number, row in enumerate(rows, 2)]


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (cell("7", "n"), "7"),
        (cell("9.1981234567E11"), "919812345670"),
        (cell("1.1000000000000001"), "1.1"),
        (cell("0.30000000000000004"), "0.3"),
        (cell("4.111111111111112E18"), "4111111111111112000"),
        (cell("1.5E-7"), "0.00000015"),
        (cell("0089"), "89"),
        (cell("1", "b"), "true"),
        (cell("2024-02-29T10:00:00", "d"), "2024-02-29T10:00:00"),
        (cell("#N/A", "e"), "#N/A"),
        ("<c t='str'><f>A1&amp;1</f><v>a1</v></c>", "a1"),
        ("<c><f>1+1</f><v>2</v></c>", "2"),
        ("<c t='inlineStr'><is><r><t>An</t></r><r><t xml:space='preserve'>n </t></r></is></c>", "Ann "),
        ("<c t='inlineStr'><is><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></is></c>", "東京"),
        (cell("0", "s"), "東京都"),
        (cell("1", "s"), "a\rb_x_\U0001f600"),
    ],
)
def test_cells_are_read_as_other_programs_write_them(read, inside, text):
    strings = (
        "<si><r><t>東京</t></r><r><t>都</t></r><rPh sb='0' eb='2'><t>トウキョウト</t></rPh></si>"
        "<si><t>a_x000D_b_x005F_x_&#x1F600;</t></si>"
    )
    assert only(read(handmade(f"{HEADER}<row>{inside}</row>", strings=strings))) == text


def test_prefixes_and_left_out_places_are_read_too(read):
    rows = "<x:row r='3'><x:c t='str'><x:v>a</x:v></x:c><x:c t='str'><x:v>b</x:v></x:c></x:row>"
    rows += "<x:row><x:c r='B4'><x:v>1</x:v></x:c></x:row><x:row r='9'><x:c><x:v>2</x:v></x:c></x:row>"
    assert read(handmade(rows, prefix="x"), header_row=3) == [(4, None, "1"), (9, "2", None)]


def test_what_a_sheet_hides_is_told(open_book):
    rows = [["card", "x"], [4111111111111111999, "a"], [1, "#N/A"], *([n, "#REF!"] for n in range(3))]
    assert open_book(book_of(rows)).notes == (
        "sheet Customers: 4 cells (B3, B4, B5, …) hold an error such as #N/A or #REF!, which is read as that word",
        "sheet Customers: cell A2 holds a number beyond 15 digits, all that Excel keeps: its last digits are lost; "
        "have such numbers sent as text",
    )


@pytest.mark.parametrize("value", [-1, 2_958_466])
def test_what_excel_shows_as_no_date_is_an_error(open_book, read, value):
    book = book_of([["a"], [value]], formats={"A2": "yyyy-mm-dd"})
    assert only(read(book)) == "#VALUE!"
    assert [note.partition(" an error")[0] for note in open_book(book).notes] == ["sheet Customers: cell A2 holds"]


def refusal_of(open_book, book):
    with pytest.raises(SourceError) as refusal:
        open_book(book)
    return str(refusal.value)


def test_formulas_that_were_never_calculated_are_refused(open_book):
    """Their cells have no value, and a blank would pass for "no points"."""
    said = refusal_of(open_book, book_of([["a", "b"], [1, "=A2+1"], [None, "=A3+1"], [2, 3]]))
    assert "2 cells (B2, B3) hold a formula that was never calculated; open the workbook in Excel, save it" in said


@pytest.mark.parametrize("prefix", ["", "x"])
def test_only_a_formula_without_a_value_is_told(open_book, prefix):
    x = prefix and f"{prefix}:"
    said = [
        f"<{x}c t='str'><{x}v>a</{x}v></{x}c>",
        f"<{x}c t='str'><{x}f>IF(1,&quot;&quot;)</{x}f><{x}v></{x}v></{x}c>",
        f"<{x}c><{x}f>1+1</{x}f><{x}v>2</{x}v></{x}c>",
        f"<{x}c><{x}v></{x}v></{x}c>",
        f"<{x}c><{x}f>1+1</{x}f></{x}c>",
    ]
    book = handmade("".join(f"<{x}row>{each}</{x}row>" for each in said), prefix=prefix)
    assert "sheet S: cell A5 holds a formula that was never calculated" in refusal_of(open_book, book)


def test_a_sheet_is_looked_through_in_blocks(open_book, monkeypatch):
    monkeypatch.setattr(workbook_parts, "BLOCK_BYTES", 7)
    rows = "".join(f"<row r='{n}'>{cell(n)}</row>" for n in range(2, 20))
    said = refusal_of(open_book, handmade(f"{HEADER}{rows}<row r='20'><c><f>1+1</f></c></row>"))
    assert "cell A20 holds a formula" in said


def test_wrong_dimensions_hide_no_cell(read):
    content = handmade(f"{HEADER}<row>{cell('1')}</row>", ahead="<dimension ref='A1'/>")
    assert only(read(content)) == "1"


def test_extensions_that_openpyxl_warns_of_are_no_matter(read):
    known = '<extLst><ext uri="{CCE6A557-97BC-4B89-ADB6-D9C93CAAB3DF}"/></extLst>'
    assert only(read(handmade(f"{HEADER}<row>{cell('1')}</row>", after=known))) == "1"


def test_a_missing_library_is_told_with_the_command_that_installs_it(open_book, monkeypatch):
    content = saved(book_of([["a"]]))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        SourceError, match=r"^customers: \.xlsx needs openpyxl; install it: pip install 'bulkload\[xlsx\]'$"
    ):
        open_book(content)


def test_a_formula_with_an_empty_text_is_blank(read):
    rows = (
        f"<row>{cell('a', 'str')}{cell('b', 'str')}</row><row>{cell('1')}<c t='str'><f>IF(1,\"\")</f><v></v></c></row>"
    )
    assert read(handmade(rows)) in ([(2, "1", None)], [(2, "1", "")])


def of_sheets(**states):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, state in states.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = state
        for row in (["a"], [name]):
            sheet.append(row)
    return book


def test_the_only_visible_sheet_is_taken(read):
    assert only(read(of_sheets(Lists="hidden", Customers="visible", Old="veryHidden"))) == "Customers"


def test_a_sheet_is_chosen_by_name_even_when_hidden(read):
    book = of_sheets(One="visible", Two="hidden")
    assert only(read(book, sheet="Two")) == "Two"


@pytest.mark.parametrize(
    ("book", "written", "said"),
    [
        (
            of_sheets(One="visible", Two="visible"),
            {},
            "2 visible sheets; say xlsx: {sheet: …} with one of One, Two",
        ),
        (of_sheets(Customers="visible"), {"sheet": "Custmers"}, "there is no sheet Custmers; did you mean Customers?"),
        (of_sheets(One="visible"), {"sheet": "Two"}, "there is no sheet Two; it holds One"),
        (book_of([]), {}, "sheet Customers: row 1 names no columns; set xlsx.header_row"),
        (book_of([["a"]]), {"header_row": 3}, "row 3 names no columns"),
        (book_of([["a", "b", "a"]]), {}, "row 1 has a more than once"),
        (
            book_of([["a"], [1, None, "x"], [2, "y"]]),
            {},
            "2 cells (C2, B3) hold a value in a column",
        ),
    ],
    ids=["several", "misspelt", "unknown", "empty", "no header", "twice", "unnamed"],
)
def test_what_cannot_be_decided_is_asked(open_book, book, written, said):
    with pytest.raises(SourceError) as refusal:
        open_book(book, **written)
    assert said in str(refusal.value)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no Excel workbook; look at format:"),
        (b"a,b\n1,2\n", "no Excel workbook; look at format:"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook, or one with a password"),
        (saved(book_of([["a"], [1]]))[:-30], "the zip data is cut off or damaged"),
        (handmade(HEADER, before=BOMB), "the workbook is damaged"),
        (handmade("<row><c></row>"), "the workbook is damaged"),
        (handmade(f"{HEADER}<row>{cell('x')}</row>"), "the workbook is damaged"),
        (handmade(f"{HEADER}<row>{cell('5', 's')}</row>"), "the workbook is damaged"),
        (handmade(f"{HEADER}<row r='9999999'>{cell('5')}</row>"), "the workbook is damaged"),
        (handmade(f"{HEADER}<row r='5'>{cell('5')}</row><row spans='1:1' r='3'/>"), "the workbook is damaged"),
        (handmade(f"{HEADER}<row r='5'>{cell('5')}</row><row r='5'/>"), "the workbook is damaged"),
        (handmade(f"{HEADER}<row>{cell('1E999')}</row>"), "the workbook is damaged"),
        (handmade(f"{HEADER}<row><c r='ABCDE2'><v>5</v></c></row>"), "the workbook is damaged"),
    ],
    ids=[
        "empty",
        "text",
        "old",
        "cut",
        "entities",
        "tags",
        "number",
        "string",
        "row",
        "order",
        "twice",
        "endless",
        "column",
    ],
)
def test_what_is_no_sound_workbook_is_refused(open_book, content, said):
    with pytest.raises(SourceError) as refusal:
        open_book(content)
    assert said in str(refusal.value)


def test_a_zip_archive_of_something_else_is_no_workbook(open_book):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.csv", "a,b")
    with pytest.raises(SourceError, match=r"no Excel workbook of the kind \.xlsx"):
        open_book(held.getvalue())


def test_a_sheet_that_is_too_large_is_refused_before_it_is_read(open_book, monkeypatch):
    monkeypatch.setattr(workbook_parts, "MAX_PART_BYTES", 1_000)
    with pytest.raises(SourceError, match="MB are read at most: save the sheet as CSV"):
        open_book(book_of([["a"], *([n] for n in range(500))]))


def test_a_bomb_of_a_workbook_stops_at_its_cap(tmp_path):
    path = tmp_path / "t.xlsx"
    path.write_bytes(handmade(HEADER + "<row/>" * 1_000_000))
    assert path.stat().st_size < 20_000
    with pytest.raises(SourceError, match=r"unpacks to more than \d+ MB, 500 times its size"):
        open_workbook(PackedFile(path, "customers", spare_bytes=0), Workbook(), Limits())


def test_batches_are_of_bounded_size(open_book):
    opened = open_book(book_of([["a"], *([n] for n in range(25))]), limits=Limits(batch_rows=10))
    assert [batch.rows.num_rows for batch in opened.batches(0)] == [10, 10, 5]


def test_a_packed_workbook_is_to_be_unpacked(tmp_path):
    with pytest.raises(SourceError, match="a workbook is packed already; unpack the gzip around it"):
        open_workbook(PackedFile(tmp_path / "t.xlsx.gz", "customers", "gzip"), Workbook(), Limits())


def test_no_message_carries_a_value(open_book):
    with pytest.raises(SourceError) as refusal:
        open_book(book_of([["a"], ["x", "ann@x.example"]]))
    assert "ann" not in str(refusal.value)
