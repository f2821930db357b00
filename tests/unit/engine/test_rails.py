"""Limits are judged by numbers alone; which verbs each is about is one table."""

from pathlib import Path

import pytest

from runner.engine.rails import Effect, exceeded, needs_records, rails_of
from runner.job.endpoints import FileFormat, FileShape, FileSource, TaskSource
from runner.job.limits import RAILS
from runner.job.model import Connection, Environment, Job, Verb, WriteTask
from runner.job.rails import Amount, Rail

FILE = FileSource(Path("/a.csv"), FileShape(FileFormat.CSV))


def write(name, verb=Verb.UPSERT, *, sobject="Account", source=FILE, **limits):
    return WriteTask(
        name=name,
        verb=verb,
        sobject=sobject,
        index=0,
        source=source,
        limits={Rail(rail): amount for rail, amount in limits.items()},
    )


def job(*tasks, **limits):
    of_job = {Rail(rail): amount for rail, amount in limits.items()}
    return Job("j", Path("/job.yaml"), Connection(Environment.LOCAL), tasks, limits=of_job)


def messages(a_job, effects, records=0, allowed=()):
    return [each.message for each in exceeded(a_job, effects, lambda _: records, allowed)]


def number(value):
    return Amount(number=value)


def share(value):
    return Amount(percent=value)


@pytest.mark.parametrize(
    ("rail", "effect", "fine"),
    [
        ("max_creates", Effect(creates=6), Effect(creates=5)),
        ("max_updates", Effect(updates=6), Effect(updates=5, creates=9)),
        ("max_clears", Effect(clears=6), Effect(clears=5)),
        ("min_rows", Effect(rows=4), Effect(rows=5)),
    ],
)
def test_a_number_is_allowed_and_one_more_is_not(rail, effect, fine):
    a_job = job(write("t", **{rail: number(5)}))
    assert messages(a_job, {"t": fine}) == []
    [found] = exceeded(a_job, {"t": effect}, lambda _: 0)
    assert found.code == RAILS[Rail(rail)].code
    assert found.path == ("tasks", 0, "limits", rail)
    assert messages(a_job, {"t": effect}, allowed=[Rail(rail)]) == []


@pytest.mark.parametrize(
    ("deletes", "records", "trips"), [(5, 100, False), (6, 100, True), (1, 0, True), (0, 0, False)]
)
def test_a_share_is_one_of_the_records(deletes, records, trips):
    a_job = job(write("t", Verb.DELETE, max_deletes=share(5.0)))
    assert bool(messages(a_job, {"t": Effect(deletes=deletes)}, records)) is trips


def test_a_number_of_the_job_is_about_all_tasks_together():
    a_job = job(write("a", Verb.DELETE), write("b", Verb.DELETE), max_deletes=number(5))
    assert messages(a_job, {"a": Effect(deletes=3)}) == []
    [found] = messages(a_job, {"a": Effect(deletes=3), "b": Effect(deletes=3)})
    assert found == "2 tasks together would delete 6 records, and `max_deletes` allows 5"


def test_a_share_of_the_job_is_judged_for_each_object():
    tasks = (
        write("a", Verb.DELETE),
        write("b", Verb.DELETE, sobject="account"),
        write("c", Verb.DELETE, sobject="Contact"),
    )
    effects = dict.fromkeys("abc", Effect(deletes=3))
    [found] = messages(job(*tasks, max_deletes=share(5.0)), effects, 100)
    assert found == (
        "2 tasks together would delete 6 records, and `max_deletes` allows 5% of the 100 of Account"
    )


def test_rows_that_another_write_leaves_are_no_extract():
    tasks = (write("a"), write("b", source=TaskSource("a")))
    a_job = job(*tasks, min_rows=number(5))
    [found] = messages(a_job, {"a": Effect(rows=1), "b": Effect(rows=0)})
    assert found == "the source of `a` has 1 row, and `min_rows` requires 5"


@pytest.mark.parametrize(
    ("verb", "rails", "reads"),
    [
        (Verb.CREATE, {"min_rows", "max_creates"}, False),
        (Verb.UPDATE, {"min_rows", "max_updates", "max_clears"}, True),
        (Verb.UPSERT, {"min_rows", "max_creates", "max_updates", "max_clears"}, True),
        (Verb.DELETE, {"min_rows", "max_deletes"}, False),
    ],
)
def test_records_are_read_only_where_a_limit_needs_them(verb, rails, reads):
    every = {rail.value: number(1) for rail in Rail}
    task = write("t", verb)
    found = rails_of(job(task, **every), task, ())
    assert found == {Rail(each) for each in rails}
    assert needs_records(task, found) is reads
    assert not needs_records(task, rails_of(job(task, min_rows=number(1)), task, ()))
    assert rails_of(job(task), task, ()) == frozenset()
