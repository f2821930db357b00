"""A task for each item, in the place of the one that declares them."""

import pytest

from runner.errors import JobError
from runner.job.load import check_job, expanded_tasks

HEAD = "version: 1\nconnection: {environment: local}\ntasks:\n"


@pytest.fixture
def write(tmp_path):
    def write(tasks):
        file = tmp_path / "job.yaml"
        file.write_text(HEAD + tasks)
        return file

    return write


OUT = """\
  - name: out
    for_each: {object: [Account, Contact]}
    query: SELECT Id, Name FROM {object}
    to: out/{object}.csv
"""


def test_each_item_is_a_task_that_is_named_after_it(write):
    job = check_job(write(OUT))[0]
    assert [task.name for task in job.tasks] == ["out-Account", "out-Contact"]
    assert [task.index for task in job.tasks] == [0, 1]
    assert [task.sobject for task in job.tasks] == ["Account", "Contact"]
    assert [task.target.path.name for task in job.tasks] == ["Account.csv", "Contact.csv"]


def test_what_needs_the_task_needs_all_that_it_became(write):
    last = "  - {name: last, query: SELECT Id FROM Lead, needs: [out]}\n"
    job = check_job(write(OUT + last))[0]
    assert job.tasks[-1].needs == ("out-Account", "out-Contact")


def test_rows_of_a_task_with_the_same_items_are_those_of_the_same_item(write):
    both = OUT + (
        "  - name: gone\n    for_each: {object: [Account, Contact]}\n"
        '    delete: "{object}"\n    from: {task: out}\n'
    )
    assert [task.source.task for task in check_job(write(both))[0].tasks[2:]] == [
        "out-Account",
        "out-Contact",
    ]
    some = both.replace(
        "gone\n    for_each: {object: [Account, Contact]}", "gone\n    for_each: {}"
    )
    keyed = some.replace("{}", "[{object: Contact, key: Name}]").replace("delete", "upsert")
    keyed += '    key: "{key}"\n'
    (task,) = check_job(write(keyed))[0].tasks[2:]
    assert task.source.task == "out-Contact"
    other = some.replace("{}", "{object: [Lead]}")
    (found,) = (each for each in check_job(write(other))[1] if each.code == "job/unknown-task")
    assert found.position.line == 11


def test_every_place_that_names_a_task_means_that_of_the_same_item(write):
    more = """
  - name: joined
    for_each: {object: [Contact, Account]}
    delete: "{object}"
    from: {sql: SELECT Id FROM t, tables: {t: {task: out}}}
    on_failure: answer
  - name: listed
    for_each: {object: [Account]}
    query: SELECT Id FROM {object} WHERE Id IN :ids
    lists: {ids: {from: {task: out}, column: Id}}
  - name: answer
    for_each: {object: [Account, Contact]}
    query: SELECT Id FROM {object}
"""
    joined, other, listed, *_ = check_job(write(OUT + more))[0].tasks[2:]
    assert [each.source.tables[0].source.task for each in (joined, other)] == [
        "out-Contact",
        "out-Account",
    ]
    assert (joined.on_failure, other.on_failure) == ("answer-Contact", "answer-Account")
    assert listed.lists[0].source.task == "out-Account"


def test_problems_point_at_the_line_of_the_task_and_are_there_once(write):
    before = "  - {name: first, query: SELECT Id FROM Lead}\n"
    tasks = (
        before + OUT.replace("to: out", "bogus: 1\n    to: out") + before.replace("first", "z z")
    )
    found = check_job(write(tasks))[1]
    assert [(each.code, each.position.line) for each in found] == [
        ("job/unknown-key", 8),
        ("job/bad-value", 10),
    ]


@pytest.mark.parametrize(
    "item", ["Account WHERE Id != null", "Account'", "../Account", "{other}", "1Account", "", "ä"]
)
def test_an_item_that_is_no_name_never_gets_into_a_query_or_a_path(write, item):
    job, found = check_job(write(OUT.replace("Contact]", f'"{item}"]')))
    assert job is None
    assert "for_each" in found[0].path
    assert [each.code for each in found] == ["job/bad-value" if item else "job/no-value"]


def test_braces_of_other_names_stay_as_they_are(write):
    task = OUT.replace("Name FROM", "Name FROM").replace("out/", "out/{year}-")
    assert check_job(write(task))[0].tasks[0].target.path.name == "{year}-Account.csv"


def test_the_tasks_are_printed_as_they_run(write):
    text = expanded_tasks(write(OUT.replace("query: SELECT", "query: |\n      SELECT")))
    assert text == (
        "tasks:\n"
        "- name: out-Account\n"
        "  query: |\n    SELECT Id, Name FROM Account\n"
        "  to: out/Account.csv\n"
        "- name: out-Contact\n"
        "  query: |\n    SELECT Id, Name FROM Contact\n"
        "  to: out/Contact.csv\n"
    )
    file = write(OUT)
    file.write_text("tasks: [")
    with pytest.raises(JobError):
        expanded_tasks(file)


def test_a_name_in_a_field_that_stands_for_nothing_is_said_at_the_field(write):
    query = "  - {name: out, query: SELECT Id FROM Lead}\n"
    task = "  - name: in\n    create: Account\n    from: {task: out}\n"
    _, (found,) = check_job(write(f'{query}{task}    fields: {{"K_{{object}}__c": Id}}\n'))
    assert found.code == "job/unknown-item"
    assert (found.position.line, found.position.column) == (8, 14)
