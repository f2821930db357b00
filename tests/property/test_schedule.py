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
        if ended.name in answers:
            names = [each.name for each in (*under_way, ended)]
            schedule.answer(ended, answers[ended.name], names)
        schedule.ended(ended)
        log.append(("end", ended.name))
    if not answers:
        assert seen <= most
    return log


NAMES = [f"t{n}" for n in range(TASKS)]


def pairs_of(names):
    return st.sets(st.frozensets(st.sampled_from(names), min_size=2, max_size=2))


@given(
    jobs(),
    pairs_of(NAMES),
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
