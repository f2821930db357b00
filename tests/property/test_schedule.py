"""However tasks need each other and fail, the schedule keeps their order and comes to an end."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runner.engine.schedule import Schedule
from runner.job.model import QueryTask, Verb
from runner.job.order import in_order

TASKS = 7


def task(index, needs):
    return QueryTask(
        name=f"t{index}", verb=Verb.QUERY, sobject="Account", index=index, soql="", needs=needs
    )


@st.composite
def jobs(draw):
    """Tasks in the order of a file; needs point both ways, without circles."""
    places = draw(st.permutations(range(TASKS)))
    made = []
    for index in range(TASKS):
        others = [other for other in range(TASKS) if places[other] < places[index]]
        needs = draw(st.lists(st.sampled_from(others), unique=True)) if others else []
        waits_for_all = draw(st.booleans()) and set(range(index)) <= set(others)
        made.append(task(index, None if waits_for_all else tuple(f"t{n}" for n in needs)))
    return made


def run(tasks, pairs, width, choice, answers):
    """Carry the tasks out, and the order in which they start and end.

    `choice` draws which of those under way ends next; `answers` are the ends of some tasks.
    """

    def conflict(one, other):
        return frozenset({one.name, other.name}) in pairs

    schedule = Schedule(in_order(tasks), conflict)
    most = schedule.most_at_once
    under_way, log, seen = [], [], 0
    while True:
        while len(under_way) < width and (started := schedule.next([e.name for e in under_way])):
            assert not any(conflict(started, other) for other in under_way)
            under_way.append(started)
            log.append(("start", started.name))
        seen = max(seen, len(under_way))
        if not under_way:
            break
        ended = under_way.pop(choice(len(under_way)))
        log.append(("end", ended.name))
        if ended.name in answers:
            names = [each.name for each in (*under_way, ended)]
            schedule.answer(ended, answers[ended.name], names)
        schedule.ended(ended)
    if not answers:
        assert seen <= most
    return log


NAMES = [f"t{n}" for n in range(TASKS)]


def pairs_of(names):
    return st.sets(st.frozensets(st.sampled_from(names), min_size=2, max_size=2))


@given(jobs(), pairs_of(NAMES), st.integers(1, 4), st.data())
def test_every_task_runs_once_after_what_it_waits_for(tasks, pairs, width, data):
    log = run(tasks, pairs, width, lambda n: data.draw(st.integers(0, n - 1)), {})
    assert sorted(name for what, name in log if what == "start") == NAMES
    order = [each.name for each in in_order(tasks)]
    for each in tasks:
        needed = each.needs if each.needs is not None else NAMES[: each.index]
        before = order[: order.index(each.name)]
        for other in (*needed, *(name for name in before if {name, each.name} in pairs)):
            assert log.index(("end", other)) < log.index(("start", each.name))


@given(jobs(), pairs_of(NAMES), st.data())
def test_one_at_a_time_is_the_order_of_the_job(tasks, pairs, data):
    log = run(tasks, pairs, 1, lambda n: data.draw(st.integers(0, n - 1)), {})
    assert [name for what, name in log if what == "start"] == [t.name for t in in_order(tasks)]


@given(jobs(), st.data())
def test_whatever_may_start_does_as_far_as_there_is_room(tasks, data):
    """No task waits although all that it needs has ended and there is a lane for it."""
    schedule = Schedule(in_order(tasks))
    under_way, ended = [], set()
    while len(ended) < TASKS:
        while started := schedule.next([each.name for each in under_way]):
            under_way.append(started)
        waiting = [t for t in tasks if t.name not in ended and t not in under_way]
        for each in waiting:
            needed = each.needs if each.needs is not None else NAMES[: each.index]
            assert set(needed) - ended, each.name
        last = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
        ended.add(last.name)
        schedule.ended(last)


@given(
    jobs(),
    pairs_of([*NAMES, "answer"]),
    st.integers(1, 4),
    st.integers(0, TASKS - 1),
    st.data(),
)
def test_an_answer_runs_after_the_failure_and_before_what_waits_for_all(
    tasks, pairs, width, failing, data
):
    answer = replace(task(TASKS, None), name="answer")
    answers = {f"t{failing}": answer}
    log = run(tasks, pairs, width, lambda n: data.draw(st.integers(0, n - 1)), answers)
    assert len(log) == 2 * (TASKS + 1)
    began = log.index(("start", "answer"))
    assert log.index(("end", f"t{failing}")) < began
    for each in tasks[failing + 1 :]:
        if each.needs is None:
            assert log.index(("end", "answer")) < log.index(("start", each.name))


def test_thousands_of_tasks_are_planned_at_once():
    tasks = [task(index, None) for index in range(1_000)]
    assert Schedule(tasks).most_at_once == 1
    assert Schedule([replace(each, needs=()) for each in tasks]).most_at_once == 1_000
