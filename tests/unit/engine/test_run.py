"""Tasks run as written, unless their needs say otherwise."""

from msgspec.structs import replace

from runner.engine.run import chosen
from runner.job.endpoints import ListColumn, TaskSource
from runner.job.model import QueryTask, Verb
from runner.job.order import in_order, left_out


def tasks(*declared):
    return tuple(
        QueryTask(
            name=name,
            verb=Verb.QUERY,
            sobject="Account",
            index=index,
            soql="SELECT Id FROM Account",
            needs=needs,
            on_failure=on_failure,
        )
        for index, (name, needs, on_failure) in enumerate(declared)
    )


def names(ordered):
    return [task.name for task in ordered]


def test_tasks_without_needs_run_as_written():
    assert names(in_order(tasks(("a", None, None), ("b", None, None), ("c", None, None)))) == list(
        "abc"
    )


def test_a_task_waits_for_what_it_needs():
    declared = tasks(("a", ("c",), None), ("b", (), None), ("c", (), None))
    assert names(in_order(declared)) == ["b", "c", "a"]


def test_a_task_without_needs_waits_for_all_written_before_it():
    declared = tasks(("a", ("b",), None), ("b", (), None), ("c", None, None))
    assert names(in_order(declared)) == ["b", "a", "c"]


def test_a_task_that_answers_a_failure_is_not_in_the_order():
    declared = tasks(("a", None, "rescue"), ("rescue", None, None), ("b", None, None))
    assert names(in_order(declared)) == ["a", "b"]


def test_a_need_that_was_not_chosen_is_not_waited_for():
    declared = tasks(("a", None, None), ("b", ("a",), None))
    assert names(in_order(chosen(declared, {"b"}))) == ["b"]


def test_without_names_every_task_is_chosen():
    declared = tasks(("a", None, None), ("b", None, None))
    assert chosen(declared, ()) == declared


def test_what_needs_a_disabled_task_or_its_rows_is_left_out():
    found = tasks(
        ("off", None, None),
        ("waits", ("off",), None),
        ("reads", (), None),
        ("behind", ("reads",), None),
        ("below", None, None),
    )
    found = (
        replace(found[0], enabled=False),
        found[1],
        replace(found[2], lists=(ListColumn("ids", TaskSource("off"), "Id"),)),
        *found[3:],
    )
    assert left_out(found) == {"waits": "off", "reads": "off", "behind": "off"}
    assert left_out(found[1:]) == {}
