"""What bytes show to be sent as it is read is what DuckDB finds, value by value."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pytest import MonkeyPatch  # noqa: PT013 - hypothesis takes no fixture

from runner.job.choices import Blank
from runner.tables import duckdb
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.plain_csv import as_written, plain_rows
from runner.tables.sql import BLANKS
from runner.tables.staging import as_is_bytes
from runner.tables.staging.as_is import CANONICAL_TEXT, may_change
from runner.tables.staging.as_is_bytes import Asked, Look, StepsError, find_known, read_known
from runner.tables.staging.key_hashes import same
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.text_steps import text_steps
from tests.luajit_choice import compile_always

KINDS = sorted(as_is_bytes.KINDS - {FieldKind.TEXT})
LIKE_ONE = st.one_of(
    *(st.from_regex(text, fullmatch=True, alphabet=st.characters(max_codepoint=127))
      for kind, text in CANONICAL_TEXT.items() if kind in KINDS),
    st.dates().map(str),
    st.sampled_from(["true", "false", "True", "truex", "0000-01-01", "2024-02-29", "1900-02-29"]),
    st.text(alphabet="0123456789-.:TZ", max_size=25),
)  # fmt: skip


@st.composite
def nearly(draw):
    """A canonical text, or one with another character somewhere."""
    text = draw(LIKE_ONE)
    if text and draw(st.booleans()):
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + draw(st.sampled_from("0159-.:TZe é")) + text[at + 1 :]
    return text


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        yield opened


@pytest.fixture(scope="module", autouse=True)
def compiled():
    with MonkeyPatch.context() as patch:
        compile_always(patch)
        patch.setattr(as_is_bytes, "_BLOCK_BYTES", 60)
        yield


@given(kind=st.sampled_from(KINDS), texts=st.lists(nearly(), min_size=1, max_size=8))
@example(kind=FieldKind.DATE, texts=["2000-02-29", "2400-02-29"])
@example(kind=FieldKind.DATE, texts=["2100-02-29"])
@example(kind=FieldKind.DATETIME, texts=["0999-12-31T00:00:00.000Z"])
@example(kind=FieldKind.NUMBER, texts=["-0", "0.0", "123456789012345678.1"])
@example(kind=FieldKind.NUMBER, texts=["1234567890123456789"])
@example(kind=FieldKind.INTEGER, texts=["-"])
def test_a_value_is_canonical_for_both(connection, kind, texts):
    mapping = ColumnMapping(MappedColumn("x", None, kind), 0, 0)
    changes = may_change(mapping, Blank.KEEP, is_only=False)
    query = f"SELECT coalesce(bool_or({changes}), false) FROM (SELECT unnest($texts) AS s0)"
    given_texts = [text or None for text in texts]
    ((expected,),) = connection.execute(query, {"texts": given_texts}).fetchall()
    content = "".join(f"k,{text}\n" for text in texts).encode()
    found = find_known(content, Look(2, {0: FieldKind.TEXT, 1: kind}, {}))
    assert (found is None) == expected


def test_a_line_end_early_in_a_long_record_is_part_of_it():
    content = b'"a\nb"' + b",x" * 40 + b"\n"
    found = find_known(content, Look(41, dict.fromkeys(range(41), FieldKind.TEXT), {}))
    assert found is not None
    assert found.rows == 1


TEXTS = st.one_of(
    st.sampled_from(
        ["", "x", " ", " x", "a,b", 'a"b', '"', "\n", "a\nb", "#", "a#,b", "é", "\x01"]
    ),
    st.text(alphabet='xy,"\n é#', max_size=6),
)


@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=12),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    longest=st.sampled_from([None, 3]),
    cut=st.integers(0, 3),
)
@example(rows=[("a#b", "x", "y")], quoting=csv.QUOTE_MINIMAL, longest=None, cut=0)
@example(rows=[('a,"b', "x", "y")], quoting=csv.QUOTE_MINIMAL, longest=4, cut=0)
def test_texts_and_their_quotes_are_those_that_duckdb_writes(rows, quoting, longest, cut):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(rows)
    content = text.getvalue().encode()
    content = content[: len(content) - cut]
    kinds = {1: FieldKind.TEXT, 2: FieldKind.TEXT}
    limits = {} if longest is None else {2: longest}
    found = find_known(content, Look(3, kinds, limits))
    may_stay = all(cell == "" or cell[0] >= "!" for row in rows for cell in row)
    fits = longest is None or all(len(row[2].encode()) <= longest for row in rows)
    if found is not None:
        assert not cut
        assert may_stay
        assert fits
        assert found.rows == len(rows) == plain_rows(content, 3)
        assert found.others == "".join(f"{as_written(row[0])}\n" for row in rows).encode()
    elif not cut and may_stay and fits and all(any(row) for row in rows):
        assert plain_rows(content, 3) is None


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\nc\n", b"a,b,c\n", b"a,b\n\n", b"a,b\n,\n", b"a,b", b'"a,b\n', b'a,"b"c\n',
        b"\xef\xbb\xbfa,b\n", b"a,\xff\n", b"a,b\nc,d\ne", b"",
    ],
)  # fmt: skip
def test_what_is_no_plain_csv_is_left_to_duckdb(content):
    found = find_known(content, Look(2, {0: FieldKind.TEXT, 1: FieldKind.TEXT}, {}))
    assert found is None


def test_a_byte_order_mark_that_begins_the_other_columns_is_left_to_duckdb():
    assert find_known("x,\ufeffk1\n".encode(), Look(2, {0: FieldKind.TEXT}, {})) is None
    found = find_known("x,k1\ny,\ufeffk2\n".encode(), Look(2, {0: FieldKind.TEXT}, {}))
    assert found is not None
    assert found.others == "k1\n\ufeffk2\n".encode()


SIGNS = [*' abAB"#,\nÄß\t', "\u00a0", "\u3000", "\u2003", "Ł", "日"]


@given(
    text=st.lists(st.sampled_from(SIGNS)).map("".join),
    expression=st.sampled_from(
        ["trim(t)", "lower(t)", "upper(trim(t))", "t || ' #'", "'é' || t", "'x' || trim(t) || '\"'"]
    ),
)
@example(text="\u00a0a", expression="trim(t)")
@example(text="a\u3000", expression="trim(t)")
@example(text="日", expression="trim(t)")
@example(text="  ", expression="trim(t)")
@example(text="  ", expression="t || ' #'")
@example(text="\tab", expression="trim(t)")
@example(text="abcdefghÄ", expression="upper(trim(t))")
@example(text="abcdefghß", expression="lower(t)")
def test_what_steps_make_of_a_text_is_what_duckdb_computes(connection, text, expression):
    ((made,),) = connection.execute(
        f"SELECT {expression} FROM (SELECT nullif($text, '') AS t)", {"text": text}
    ).fetchall()
    written = as_written(text) if {*text} & {*',"\n'} else text
    content = f"k,{written}\nk,x\n".encode()
    steps = text_steps(expression)
    longest = {1: 8 - steps.added}
    look = Look(2, {0: FieldKind.TEXT}, longest, sent=(0, 1), steps={1: steps})
    found = first_known(content, look)
    if found is None:
        assert not text.isascii() or text[0] <= " " or len(made.encode()) > 8
        return
    assert len((made or "").encode()) <= 8
    expected = as_written((made or "") if (made or "").strip(BLANKS) else "")
    assert found.sent.decode().startswith(f"k,{expected}\nk,")


def first_known(content, look):
    try:
        return next(read_known(io.BytesIO(content), len(content), look))
    except StepsError as error:
        return {(1,): None}[error.args]


def test_a_record_for_which_rows_would_take_much_memory_is_left_to_duckdb(monkeypatch):
    monkeypatch.setattr(as_is_bytes, "_MOST_BLOCK_BYTES", 1_000)
    content = b"k," + b"x" * 1_000 + b"\n"
    every = Look(2, {0: FieldKind.TEXT, 1: FieldKind.TEXT}, {})
    assert find_known(content, every) is not None
    some = Look(2, {0: FieldKind.TEXT, 1: FieldKind.TEXT}, {}, sent=(1,))
    with pytest.raises(ValueError, match="so long"):
        next(read_known(io.BytesIO(content), len(content), some))
    assert next(read_known(io.BytesIO(b"k,x\n"), 4, some)).sent == b"x\n"


def look_at_key(kind=FieldKind.TEXT, **asked):
    return Look(2, {0: kind, 1: FieldKind.TEXT}, {}, asked={0: Asked(**asked)})


KEY_SIGNS = st.text(alphabet="aAbB1-_@`[{ .,#é", min_size=1, max_size=20)


@given(keys=st.lists(KEY_SIGNS, min_size=2, max_size=12), tells_case=st.booleans())
@example(keys=["abcdefgh1", "ABCDEFGH1", "abcdefgh"], tells_case=False)
@example(keys=["abcdefgh1", "ABCDEFGH1"], tells_case=True)
@example(keys=["a,b", "A,b"], tells_case=False)
def test_keys_that_are_the_same_have_the_same_hash(connection, keys, tells_case):
    key = MappedColumn("k", None, required=True, tells_case=tells_case)
    mapping = ColumnMapping(key, 0, 0)
    content = "".join(f"{as_written(each)},x\n" for each in keys).encode()
    asked = {"is_filled": True, "is_trimmed": True, "is_key": True, "tells_case": tells_case}
    found = find_known(content, look_at_key(**asked))
    changes = may_change(mapping, Blank.KEEP, is_only=False)
    rows = "SELECT k AS c0, k AS s0 FROM (SELECT unnest($k) AS k)"
    query = f"SELECT {same(mapping)}, {changes} FROM ({rows})"
    texts, changed = zip(*connection.execute(query, {"k": keys}).fetchall(), strict=True)
    if any(changed):
        assert found is None
    elif found is None:  # DuckDB knows more letters than those of ASCII
        assert "é" in "".join(keys) or any("#" in each for each in keys)
    else:
        hashes = [found.hashes[at : at + 8] for at in range(0, len(found.hashes), 8)]
        assert len(hashes) == len(keys)
        by_text = dict(zip(texts, hashes, strict=True))
        assert [by_text[each] for each in texts] == hashes
        folded = {bytes(sign | 32 for sign in each.encode()) for each in texts}
        assert len({*hashes}) >= (len({*texts}) if tells_case else len(folded))


@pytest.mark.parametrize("before", [b"", b"x" * 40 + b",y\n"])
def test_the_hash_of_a_key_depends_on_nothing_else(before):
    """Its last bytes are read eight at a time, unless they are the last of what is looked at."""
    look = look_at_key(is_key=True)
    rows = [b"key,\n", b"key,a longer value after it\n"]
    hashes = {find_known(before + row, look).hashes[-8:] for row in rows}
    assert len(hashes) == 1


@given(
    ids=st.lists(
        st.sampled_from(
            ["001A0000001aaaa", "001A0000001aaaaAAA", "001A0000001AAAA", "003A0000001aaaa"]
        )
        | st.text(alphabet="01Aa-é ", min_size=13, max_size=19),
        min_size=1,
        max_size=6,
    ),
    prefix=st.sampled_from(["", "001"]),
)
def test_ids_are_those_that_duckdb_finds(connection, ids, prefix):
    column = MappedColumn(
        "Id", None, FieldKind.ID, required=True, tells_case=True, id_prefix=prefix
    )
    mapping = ColumnMapping(column, 0, 0)
    changes = may_change(mapping, Blank.KEEP, is_only=False)
    query = f"SELECT coalesce(bool_or({changes}), false) FROM (SELECT unnest($ids) AS s0)"
    ((expected,),) = connection.execute(query, {"ids": ids}).fetchall()
    content = "".join(f"{each},x\n" for each in ids).encode()
    found = find_known(
        content, look_at_key(FieldKind.ID, is_filled=True, prefix=prefix, is_key=True)
    )
    assert (found is None) == expected
    if found is not None:
        hashes = {found.hashes[at : at + 8] for at in range(0, len(found.hashes), 8)}
        assert len(hashes) == len({each[:15] for each in ids})


@pytest.mark.parametrize(
    ("cell", "asked", "is_known"),
    [
        ("", {}, True),
        ("", {"is_filled": True}, False),
        ("", {"is_key": True}, False),
        ('"#N/A"', {}, True),
        ('"#N/A"', {"is_filled": True}, False),
        ("x ", {}, True),
        ("x ", {"is_trimmed": True}, False),
        ('"x, "', {"is_trimmed": True}, False),
        ('"x ""y"""', {"is_key": True}, False),
    ],
)
def test_what_is_asked_of_a_value(cell, asked, is_known):
    found = find_known(f"{cell},x\n".encode(), look_at_key(**asked))
    assert (found is not None) == is_known
