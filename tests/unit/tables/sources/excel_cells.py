# ruff: noqa: E501 - a case reads best in one line
"""Cells of Excel, and what each becomes in a field of each kind: cases of a test, and a table of the docs.

Knows the XML of a workbook, so that a cell is as one writer or another would write it.
"""

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZipFile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
KINDS = ("text", "number", "boolean", "date", "datetime", "time")


@dataclass
class Cell:
    """A cell, and what a field of each kind gets; a kind that is not here fails the row."""

    shown: str
    """What a person sees, for the docs."""
    xml: str
    """The cell, with AT where its place and style belong."""
    values: dict
    format: str = "General"
    is_1904: bool = False


def n(number):
    return f"<c AT><v>{number}</v></c>"


NOON = "2026-01-31T12:00:00.000Z"
DAY = {"text": "2026-01-31", "date": "2026-01-31", "datetime": "2026-01-31T00:00:00.000Z"}
CELLS = [
    Cell("a number, `42`", n(42), {"text": "42", "number": 42}),
    Cell("a whole number that a program wrote as `123.0`", n("123.0"), {"text": "123", "number": 123}),
    Cell("0.1 + 0.2: 15 digits, as Excel shows them", n("0.30000000000000004"), {"text": "0.3", "number": 0.3}),
    Cell("16 digits and more, if the file has them", n("1234567890123456"), {"text": "1234567890123456", "number": 1234567890123456}),
    Cell("`1E+20`", n("1E+20"), {"text": "100000000000000000000"}),
    Cell("`25%`", n("0.25"), {"text": "25", "number": 25}, "0%"),
    Cell("`12.3%` of 0.12345", n("0.12345"), {"text": "12.345", "number": 12.345}, "0.0%"),
    Cell("`00123`, by the format `00000`", n(123), {"text": "00123", "number": 123}, "00000"),
    Cell("`123-456`, by the format `000-000`", n(123456), {"text": "123-456"}, "000-000"),
    Cell('`INV-0012`, by the format `"INV-"0000`', n(12), {"text": "INV-0012"}, '"INV-"0000'),
    Cell("`1,234.50 €` and other currencies", n("1234.5"), {"text": "1234.5", "number": 1234.5}, '#,##0.00\\ "€"'),
    Cell('`5 kg`, by the format `0 "kg"`', n(5), {"text": "5", "number": 5}, '0 "kg"'),
    Cell("`(7)`, an accounting format", n(-7), {"text": "-7", "number": -7}, '_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)'),
    Cell("`1/2`, a fraction", n("0.5"), {"text": "0.5", "number": 0.5}, "# ?/?"),
    Cell("`1.50E+03`", n("1500"), {"text": "1500", "number": 1500}, "0.00E+00"),
    Cell("`2.7` of 2.71828", n("2.71828"), {"text": "2.71828", "number": 2.71828}, "0.0"),
    Cell("a date, in any format", n(46053), DAY, "dd.mm.yyyy"),
    Cell("a date, where days count from 1904", n(44591), DAY, "m/d/yy", is_1904=True),
    Cell("a date and time", n("46053.5"), {"text": "2026-01-31 12:00:00", "datetime": NOON}, "yyyy-mm-dd hh:mm"),
    Cell("a date with a time that the format hides", n("46053.5"), {"text": "2026-01-31 12:00:00", "datetime": NOON}, "d-mmm-yy"),
    Cell("a date and time, at midnight", n("46053"), {**DAY, "text": "2026-01-31 00:00:00"}, "yyyy-mm-dd hh:mm"),
    Cell("1 January to 28 February 1900", n(59), {"text": "1900-02-28", "date": "1900-02-28", "datetime": "1900-02-28T00:00:00.000Z"}, "yyyy-mm-dd"),
    Cell("29 February 1900, a day that only Excel has", n(60), {"text": "1900-02-29"}, "yyyy-mm-dd"),
    Cell("a time of day, `08:30`", n("0.354166666666667"), {"text": "08:30:00", "time": "08:30:00.000Z"}, "h:mm AM/PM"),
    Cell("a duration, `30:15`", n("1.26041666666667"), {"text": "30:15:00"}, "[h]:mm"),
    Cell("a duration of less than a day, `08:30`", n("0.354166666666667"), {"text": "08:30:00", "time": "08:30:00.000Z"}, "[h]:mm"),
    Cell("`TRUE`", '<c AT t="b"><v>1</v></c>', {"text": "true", "boolean": True}),
    Cell("a text, `0123`", '<c AT t="inlineStr"><is><t>0123</t></is></c>', {"text": "0123", "number": 123}),
    Cell("a text with its own formats inside", '<c AT t="inlineStr"><is><r><rPr><b/></rPr><t>bo</t></r><r><t>ld</t></r></is></c>', {"text": "bold"}),
    Cell("a text with its reading (furigana)", '<c AT t="inlineStr"><is><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></is></c>', {"text": "東京"}),
    Cell("a text with a character that XML cannot hold, `_x0007_`", '<c AT t="inlineStr"><is><t>a_x0007_b_x005F_x0007_</t></is></c>', {"text": "a\x07b_x0007_"}),
    Cell("a formula that gives a number, `7`", "<c AT><f>3+4</f><v>7</v></c>", {"text": "7", "number": 7}),
    Cell("a formula that gives a text, `x`", '<c AT t="str"><f>"x"</f><v>x</v></c>', {"text": "x"}),
    Cell("a date as ISO 8601, `2026-01-31T00:00:00Z`", '<c AT t="d"><v>2026-01-31T00:00:00.000Z</v></c>', DAY, "m/d/yy"),
    Cell("a date and time as ISO 8601", '<c AT t="d"><v>2026-01-31T12:00:00</v></c>', {"text": "2026-01-31 12:00:00", "datetime": NOON}, "yyyy-mm-dd"),
]  # fmt: skip


def table():
    """The cells as a table of the docs."""
    heads = ["in the sheet", "text, key", "number", "checkbox", "date", "datetime", "time"]
    lines = [heads, ["---"] * len(heads)]
    lines += [[cell.shown, *(_shown(cell.values, kind) for kind in KINDS)] for cell in CELLS]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _shown(values, kind):
    if kind not in values:
        return ""
    value = values[kind]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "`" + "".join(f"\\x{ord(c):02x}" if ord(c) < 32 else c for c in text) + "`"


def write(path, rows, *, formats=(), shared=(), book="", ns=MAIN, sheet=None):
    """Write a workbook of one sheet, `S`.

    Args:
        path: The file.
        rows: The rows of the sheet as XML; or see `sheet`.
        formats: The number format of each style, from 1 on.
        shared: Its shared texts, as XML.
        book: More elements of the workbook.
        ns: The namespace of its parts.
        sheet: All of the sheet's XML, instead of rows.
    """
    codes = "".join(
        f'<numFmt numFmtId="{164 + at}" formatCode={quoteattr(code)}/>'
        for at, code in enumerate(formats)
    )
    styles = "".join(f'<xf numFmtId="{164 + at}"/>' for at in range(len(formats)))
    parts = {
        "_rels/.rels": links(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{ns}" xmlns:r="{OFFICE}">{book}'
        '<sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": links(
            ("worksheet", "worksheets/sheet1.xml"),
            ("styles", "/xl/styles.xml"),
            ("sharedStrings", "sharedStrings.xml"),
        ),
        "xl/styles.xml": f'<styleSheet xmlns="{ns}"><numFmts>{codes}</numFmts>'
        f'<cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{ns}">{"".join(shared)}</sst>',
        "xl/worksheets/sheet1.xml": sheet
        or f'<worksheet xmlns="{ns}"><sheetData>{rows}</sheetData></worksheet>',
    }
    with ZipFile(path, "w") as out:
        for name, text in parts.items():
            out.writestr(name, text)
    return path


def links(*targets):
    """The links of a part to others."""
    each = "".join(
        f'<Relationship Id="rId{at}" Type="{OFFICE}/{kind}" Target="{escape(target)}"/>'
        for at, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{PACKAGE}">{each}</Relationships>'


def text_cell(place, text):
    """A cell with a text of its own."""
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(text)}</t></is></c>'


def write_cells(path, cells):
    """Write the header `value` and a row for each cell."""
    rows = [f'<row r="1">{text_cell("A1", "value")}</row>']
    for at, cell in enumerate(cells, start=1):
        placed = cell.xml.replace("AT", f'r="A{at + 1}" s="{at}"')
        rows.append(f'<row r="{at + 1}">{placed}</row>')
    book = '<workbookPr date1904="1"/>' if cells[0].is_1904 else ""
    return write(path, "".join(rows), formats=[cell.format for cell in cells], book=book)
