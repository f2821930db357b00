"""What becomes of each record of a run that is undone: from its files and what is there now."""

import csv
import json
from itertools import product

import pytest
from msgspec.structs import asdict

from runner.job.model import Verb
from runner.salesforce.ids import eighteen
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import open_database
from runner.tables.undo import compare
from runner.tables.undo.after_images import UNDO, WrittenColumn, WrittenIndex
from runner.tables.undo.before_images import READ, write_records
from runner.tables.undo.compare import TaskComparison
from runner.tables.undo.rules import ACTS, Act, Reason
from tests.short_form import short_form

A, B, C, D, E = (eighteen(f"00100000000000{letter}") for letter in "ABCDE")


@pytest.fixture
def database(tmp_path):
    (tmp_path / "work").mkdir()
    made = open_database(tmp_path / "work")
    yield made
    made.close()


def write_csv(file, header, rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


def sql(value):
    return "NULL" if value is None else literal(value) if isinstance(value, str) else str(value)


class Task:
    """The folder of a task, filled as a write would have."""

    def __init__(self, tmp_path, database, verb, columns=(), *, kept=True, hard=False):
        self.folder = tmp_path / "task"
        self.database, self.work = database, tmp_path / "work"
        self.verb, self.hard = verb, hard
        self.index = WrittenIndex(tuple(columns), has_before_images=kept)

    def did(self, *rows, doubt=()):
        """Rows that the org took: Id, created, and what was sent."""
        told = [
            (f"x{at}", at, record_id, created)
            for at, (record_id, created, *_) in enumerate(rows, start=1)
        ]
        head = ("Name", "sf__Row", "sf__Id", "sf__Created")
        write_csv(self.folder / "succeeded.csv", head, told)
        if doubt:
            head = ("Name", "sf__Row", "sf__Id", "sf__Code", "sf__Message", "sf__Fields")
            lines = [("x", row, "", "ANSWER_LOST", "", "") for row in doubt]
            write_csv(self.folder / "in_doubt.csv", head, lines)
        if self.index.columns:
            names = [f"w{at}" for at in range(len(self.index.columns))]
            values = ", ".join(
                f"({', '.join(map(sql, (at, *sent)))})"
                for at, (_, _, *sent) in enumerate(rows, start=1)
            )
            file = self.folder / UNDO / "written" / "slab_0.parquet"
            file.parent.mkdir(parents=True)
            self.database.connection.execute(
                f"COPY (SELECT * FROM (VALUES {values}) AS t(row, {', '.join(names)}))"
                f" TO '{file}' (FORMAT parquet)"
            )
            columns = [asdict(column) for column in self.index.columns]
            index = {"columns": columns, "kept": self.index.has_before_images}
            (self.folder / UNDO / "index.json").write_text(json.dumps(index))
        return self

    def over(self, *records, block=0, read="2026-01-01T00:00:00"):
        """What was there before: Id and a value for each field."""
        fields = self.index.fields
        rows = [
            {"Id": record_id, READ: read, **dict(zip(fields, values, strict=True))}
            for record_id, *values in records
        ]
        file = self.folder / UNDO / "before" / f"before-{block:06}.parquet"
        write_records(self.database, file, ("Id", *fields, READ), rows)
        return self

    def now(self, *records, deleted=None, unknown=(), parents=None, act=None):
        """Judge by what is there now."""
        undoing = TaskComparison(
            self.database, self.work, self.folder, self.verb, hard=self.hard, act=act
        )
        undoing.open_group(0)
        fields = undoing.index.fields
        undoing.add_current(
            {"Id": record_id, **dict(zip(fields, values, strict=True))}
            for record_id, *values in records
        )
        undoing.add_deleted((deleted or {}).items())
        undoing.add_unknown(unknown)
        for place, found in (parents or {}).items():
            undoing.add_parents(place, found)
        undoing.decide()
        return undoing


def rows_of(undoing, tmp_path):
    undoing.write_rows(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def left_of(undoing, act, tmp_path):
    undoing.write_left(act, tmp_path / "left.csv")
    with (tmp_path / "left.csv").open(encoding="utf-8", newline="") as stream:
        return [(r["sf__Row"], r["sf__Code"], r["sf__Fields"]) for r in csv.DictReader(stream)]


NAME = WrittenColumn("Name", "Name", "string")
SCORE = WrittenColumn("Score__c", "Score__c", "double", 2)


def test_fields_that_hold_what_was_written_get_their_earlier_values(tmp_path, database):
    """Only these: what the row did not send is not touched, and null comes back as null."""
    task = Task(tmp_path, database, Verb.UPDATE, [NAME, SCORE])
    task.did((A, "false", "New", "2"), (B, "false", "Bee", None), (C, "false", "#N/A", "3"))
    task.over((A, "Old", None), (B, "B", "9"), (C, "See", "3.00"))
    undoing = task.now((A, "New", "2.0"), (B, "Bee", "77"), (C, None, "3"), act=Act.RESTORE)
    assert rows_of(undoing, tmp_path) == [
        {"Id": A, "Name": "Old", "Score__c": "#N/A", "Undone_Row": "1"},
        {"Id": B, "Name": "B", "Score__c": "", "Undone_Row": "2"},
        {"Id": C, "Name": "See", "Score__c": "", "Undone_Row": "3"},
    ]
    assert undoing.tally(Act.RESTORE).undo == 3


def test_a_third_value_leaves_the_whole_record_alone(tmp_path, database):
    task = Task(tmp_path, database, Verb.UPDATE, [NAME, SCORE])
    task.did(*((each, "false", "New", "2") for each in (A, B, C, D)))
    task.over(*((each, "Old", "1") for each in (A, B, C)))
    undoing = task.now((A, "New", "5"), (B, "Old", "1"), (D, "New", "2"))
    tally = undoing.tally(Act.RESTORE)
    assert (tally.undo, tally.nothing, tally.total) == (0, 1, 4)
    assert left_of(undoing, Act.RESTORE, tmp_path) == [
        ("1", Reason.CHANGED, "Score__c"),
        ("3", Reason.DELETED, ""),
        ("4", Reason.NOT_KEPT, ""),
    ]


@pytest.mark.parametrize(
    ("type_", "scale", "sent", "held"),
    [
        ("double", 2, "1.239", "1.24"),
        ("currency", 2, "1.245", "1.24"),
        ("currency", 2, "1.245", "1.25"),
        ("double", 4, "12345678901234.5678", "1.23456789012345678E13"),
        ("double", 0, "999999999999999999", "999999999999999999"),
        ("int", 0, "7", "7"),
        ("datetime", 0, "2026-01-02T03:04:05.123Z", "2026-01-02T03:04:05.000+0000"),
        ("date", 0, "2026-01-02", "2026-01-02"),
        ("boolean", 0, "false", None),
        ("boolean", 0, "true", "true"),
        ("reference", 0, "001000000000001", "001000000000001AAA"),
        ("textarea", 0, " a\nb ", "a\r\nb"),
        ("multipicklist", 0, "b;a", "a;b"),
        ("string", 0, "#N/A", None),
    ],
)
def test_values_are_compared_as_the_org_takes_them(tmp_path, database, type_, scale, sent, held):
    task = Task(tmp_path, database, Verb.CREATE, [WrittenColumn("F", "F", type_, scale)])
    task.did((A, "true", sent))
    assert task.now((A, held)).tally(Act.DELETE).undo == 1


@pytest.mark.parametrize(
    ("type_", "sent", "held"),
    [
        ("double", "999999999999999998", "999999999999999999"),
        ("double", "1.24", "1.25"),
        ("string", "a", "A"),
        ("string", "a", None),
        ("datetime", "2026-01-02T03:04:05.000Z", "2026-01-02T03:04:06.000+0000"),
        ("boolean", "true", "false"),
    ],
)
def test_values_that_differ_are_a_change(tmp_path, database, type_, sent, held):
    task = Task(tmp_path, database, Verb.CREATE, [WrittenColumn("F", "F", type_, 2)])
    task.did((A, "true", sent))
    assert task.now((A, held)).tally(Act.DELETE).left == ((Reason.CHANGED, 1),)


def test_what_was_created_is_deleted_the_last_first(tmp_path, database):
    task = Task(tmp_path, database, Verb.CREATE, [NAME], kept=False)
    task.did((A, "", "a"), (B, "", "b"), (C, "", None), doubt=[7])
    undoing = task.now((A, "a"), (C, "named by somebody since"), act=Act.DELETE)
    assert [row["Id"] for row in rows_of(undoing, tmp_path)] == [C, A]
    tally = undoing.tally(Act.DELETE)
    assert (tally.nothing, tally.left, tally.total) == (1, ((Reason.DOUBT, 1),), 4)


def test_a_create_of_an_earlier_release_is_left(tmp_path, database):
    task = Task(tmp_path, database, Verb.CREATE).did((A, ""), (B, ""))
    undoing = task.now((A,))
    assert undoing.tally(Act.DELETE).left == ((Reason.NOT_RECORDED, 1),)
    assert undoing.tally(Act.DELETE).nothing == 1


def test_upserts_are_told_apart(tmp_path, database):
    """What no reading before its rows found is deleted, unless somebody else created it."""
    task = Task(tmp_path, database, Verb.UPSERT, [NAME])
    task.did(
        (A, "false", "a2"),
        (B, "true", "b"),
        (C, "", "c"),
        (D, "", "d2"),
        (E, "false", "e"),
    )
    task.over((A, "a1"), (D, "d1"))
    now = ((A, "a2"), (B, "b"), (C, "c"), (D, "d2"), (E, "e"))
    undoing = task.now(*now, act=Act.RESTORE)
    assert [row["Name"] for row in rows_of(undoing, tmp_path)] == ["a1", "d1"]
    assert undoing.tally(Act.RESTORE).left == ((Reason.NOT_KEPT, 1),)
    deleted = rows_of(task.now(*now, act=Act.DELETE), tmp_path)
    assert [row["Id"] for row in deleted] == [C, B]


def test_a_record_that_was_there_before_is_never_deleted(tmp_path, database):
    """After a lost answer an upsert may say created of what was made in the same second."""
    task = Task(tmp_path, database, Verb.UPSERT, [NAME])
    task.did((A, "true", "new")).over((A, "old"))
    assert task.now((A, "new")).tally(Act.DELETE).total == 0
    assert task.now((A, "new")).tally(Act.RESTORE).undo == 1


def test_a_record_that_the_run_created_and_read_later_is_deleted(tmp_path, database):
    """Its first row created it; the reading before its second row, in a later block, found it."""
    task = Task(tmp_path, database, Verb.UPSERT, [NAME])
    filler = [(f"001{number:012}AAA", "false", "x") for number in range(2_000)]
    task.did((A, "true", "a1"), *filler, (A, "false", "a2"))
    task.over(*((each, "y") for each, _, _ in filler), block=0)
    task.over((A, "a1"), block=1)
    undoing = task.now((A, "a2"), act=Act.DELETE)
    assert [row["Id"] for row in rows_of(undoing, tmp_path)] == [A]


def test_without_kept_values_updates_are_left_and_creates_are_not(tmp_path, database):
    task = Task(tmp_path, database, Verb.UPSERT, [NAME], kept=False)
    task.did((A, "false", "a2"), (B, "true", "b1"))
    undoing = task.now((B, "b1"))
    assert undoing.tally(Act.RESTORE).left == ((Reason.NOT_KEPT, 1),)
    assert undoing.tally(Act.DELETE).undo == 1


def test_the_first_reading_counts(tmp_path, database):
    """A record that two rows wrote was read twice, the second time after the first write."""
    task = Task(tmp_path, database, Verb.UPDATE, [NAME])
    task.did((A, "false", "mid"), (A, "false", "new"))
    task.over((A, "mid"), block=0, read="2026-01-01T00:00:02")
    task.over((A, "old"), block=1, read="2026-01-01T00:00:01")
    assert rows_of(task.now((A, "new"), act=Act.RESTORE), tmp_path)[0]["Name"] == "old"


def test_a_parent_is_compared_by_the_record_that_its_key_means(tmp_path, database):
    column = WrittenColumn("Account.Ext__c", "AccountId", "reference", 0, "Account", "Ext__c")
    task = Task(tmp_path, database, Verb.UPDATE, [column])
    task.did((A, "false", "k1 "), (B, "false", "k2"), (C, "false", "k9"), (D, "false", "#N/A"))
    task.over(*((each, "001000000000009AAA") for each in (A, B, C, D)))
    parents = {0: [("001000000000001AAA", "K1"), ("001000000000002AAA", "k2")]}
    undoing = task.now(
        (A, "001000000000001AAA"),
        (B, "001000000000003AAA"),
        (C, "001000000000004AAA"),
        (D, None),
        parents=parents,
        act=Act.RESTORE,
    )
    restored = rows_of(undoing, tmp_path)
    assert [(row["Id"], row["AccountId"]) for row in restored] == [
        (A, "001000000000009AAA"),
        (D, "001000000000009AAA"),
    ]


def test_deletes_come_back_while_the_recycle_bin_has_them(tmp_path, database):
    task = Task(tmp_path, database, Verb.DELETE).did((A, ""), (B, ""), (C, ""))
    tally = task.now(deleted={A: True, B: False}).tally(Act.UNDELETE)
    assert (tally.undo, tally.nothing, tally.left) == (1, 1, ((Reason.NOT_IN_BIN, 1),))


def test_hard_deletes_do_not(tmp_path, database):
    task = Task(tmp_path, database, Verb.DELETE, hard=True).did((A, ""))
    assert task.now().tally(Act.UNDELETE).left == ((Reason.HARD, 1),)


CHANGED = {
    "case of a letter": E[:14] + "e" + E[15:],
    "check character": E[:17] + "A",
    "cut": E[:16],
    "no letter": E.replace("0", "-", 1),
    "empty": "",
}


@pytest.mark.parametrize(
    ("verb", "how"),
    short_form(
        [*product([Verb.CREATE, Verb.UPDATE, Verb.DELETE], CHANGED)],
        [
            *((Verb.CREATE, each) for each in CHANGED),
            (Verb.UPDATE, "case of a letter"),
            (Verb.DELETE, "empty"),
        ],
    ),
)
def test_an_id_that_somebody_has_changed_is_left(tmp_path, database, verb, how):
    """Its check characters tell, before it is taken for a record that is gone, or for another."""
    changed = CHANGED[how]
    act = ACTS[verb][0]
    columns = () if verb is Verb.DELETE else [NAME]
    task = Task(tmp_path, database, verb, columns)
    task.did(*((each, "", "new") if columns else (each, "") for each in (A, changed)))
    if verb is Verb.UPDATE:
        task.over((A, "old"), (changed or E, "old"))
    if verb is Verb.DELETE:
        undoing = task.now(deleted={A: True}, act=act)
    else:
        undoing = task.now((A, "new"), act=act)
    assert undoing.tally(act).undo == 1
    assert [row["Id"] for row in rows_of(undoing, tmp_path)] == [A]
    assert left_of(undoing, act, tmp_path) == [("2", "DAMAGED_ID", "")]


def test_an_id_of_15_characters_has_nothing_to_check(tmp_path, database):
    task = Task(tmp_path, database, Verb.CREATE, [NAME]).did((A[:15], "", "a"))
    assert task.now((A, "a")).tally(Act.DELETE).undo == 1


@pytest.mark.parametrize("verb", [Verb.CREATE, Verb.DELETE])
def test_an_id_that_is_listed_twice_stands_for_its_record_once(tmp_path, database, verb):
    """Ids of one run follow each other: a digit that was changed makes one its neighbour's."""
    columns = [NAME] if verb is Verb.CREATE else ()
    task = Task(tmp_path, database, verb, columns)
    task.did(*((A, "", "a") if columns else (A, "") for _ in range(2)))
    undoing = task.now((A, "a")) if columns else task.now(deleted={A: True})
    tally = undoing.tally(ACTS[verb][0])
    assert (tally.undo, tally.left) == (1, ((Reason.DAMAGED, 1),))


@pytest.mark.parametrize("verb", [Verb.CREATE, Verb.UPDATE])
def test_a_record_that_the_org_does_not_know_is_not_one_that_was_deleted(tmp_path, database, verb):
    act = ACTS[verb][0]
    task = Task(tmp_path, database, verb, [NAME]).did((A, "", "new"), (B, "", "new"))
    if verb is Verb.UPDATE:
        task.over((A, "old"), (B, "old"))
    tally = task.now(unknown=[A]).tally(act)
    gone = () if verb is Verb.CREATE else ((Reason.DELETED, 1),)
    assert set(tally.left) == {(Reason.UNKNOWN, 1), *gone}
    assert tally.nothing == 1 - len(gone)


def test_a_field_that_no_update_may_write_is_not_restored(tmp_path, database):
    fixed = WrittenColumn("Fixed__c", "Fixed__c", "string", restorable=False)
    task = Task(tmp_path, database, Verb.UPSERT, [NAME, fixed])
    task.did((A, "false", "new", "x")).over((A, "old", "y"))
    assert rows_of(task.now((A, "new", "x"), act=Act.RESTORE), tmp_path) == [
        {"Id": A, "Name": "old", "Undone_Row": "1"}
    ]


def test_files_are_private(tmp_path, database):
    task = Task(tmp_path, database, Verb.CREATE, [NAME]).did((A, "", "a"))
    undoing = task.now((A, "b"))
    undoing.write_left(Act.DELETE, tmp_path / "left.csv")
    task.over((A, "a"))
    for file in (tmp_path / "left.csv", *tmp_path.glob("task/undo/before/*")):
        assert file.stat().st_mode & 0o777 == 0o600


def test_many_records_are_judged_some_at_a_time(tmp_path, database, monkeypatch):
    """Groups of neighbours; a record of several rows is in one of them, whole."""
    monkeypatch.setattr(compare, "_MOST_PER_GROUP", 5_000)
    ids = [f"001{number:012}AAA" for number in range(6_000)]
    task = Task(tmp_path, database, Verb.UPSERT, [NAME], kept=False)
    task.did(*((each, "true", "x") for each in (*ids, ids[0])))
    undoing = TaskComparison(
        database, task.work, task.folder, Verb.UPSERT, hard=False, act=Act.DELETE
    )
    assert len(undoing.groups) == 2
    for group in undoing.groups:
        undoing.open_group(group)
        for some in undoing.ids(Act.DELETE):
            assert len(some) <= 2_000
            undoing.add_current({"Id": each, "Name": "x"} for each in some)
        undoing.decide()
    assert undoing.tally(Act.DELETE).undo == 6_000
    rows = rows_of(undoing, tmp_path)
    assert {row["Id"] for row in rows} == set(ids)
