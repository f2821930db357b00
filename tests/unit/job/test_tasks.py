"""Order of tasks, beyond what the example jobs show."""

import pytest

from runner.job.load import check_job

QUERY = "query: SELECT Id FROM A"


@pytest.fixture
def told(tmp_path):
    def check(*tasks):
        lines = [f"  - {{name: {text}}}" for text in tasks]
        file = tmp_path / "job.yaml"
        head = "version: 1\nconnection: {environment: local}\ntasks:\n"
        file.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
        return [(each.code, each.message) for each in check_job(file)[1]]

    return check


def query(name, **keys):
    extra = "".join(f", {key}: {value}" for key, value in keys.items())
    return f"{name}, {QUERY}, to: {name}.csv{extra}"


def circle(text):
    return ("job/circle", f"these tasks wait for each other: {text}")


def test_two_circles_are_two_problems(told):
    assert told(
        query("a", needs="[b]"),
        query("b", needs="[a]"),
        query("c", needs="[d]"),
        query("d", needs="[c]"),
    ) == [circle("a → b → a"), circle("c → d → c")]


def test_a_task_that_only_waits_for_a_circle_is_no_part_of_it(told):
    assert told(
        query("a", needs="[b]"), query("b", needs="[c]"), query("c", needs="[b]"), query("d")
    ) == [circle("b → c → b")]


def test_a_later_task_may_be_needed_when_it_needs_nothing(told):
    assert told(query("a", needs="[b]"), query("b", needs="[]")) == []


def test_the_order_of_the_file_closes_a_circle(told):
    assert told(query("a", needs="[c]"), query("b", needs="[]"), query("c")) == [
        circle("a → c → a")
    ]


def test_a_task_that_answers_a_failure_stands_outside_the_order(told):
    assert told(query("a", on_failure="x"), query("x"), query("b", needs="[a]"), query("c")) == []


def test_an_answer_may_read_the_rows_of_the_task_it_answers_for(told):
    assert (
        told(
            query("a"),
            "b, delete: A, from: {task: a}, on_failure: c",
            "c, create: A, from: {task: b, rows: failed}",
        )
        == []
    )


def test_rows_may_come_from_far_above(told):
    assert (
        told(
            query("a"),
            query("b", needs="[a]"),
            query("c", needs="[b]"),
            "d, delete: A, from: {task: a}, needs: [c]",
        )
        == []
    )
