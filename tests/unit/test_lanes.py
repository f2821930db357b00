"""Work in lanes: side by side, with a share of the machine, and stopped where it waits."""

import threading
from concurrent.futures import Future

import pytest

from runner import lanes
from runner.errors import AbortedError, ExitCode
from runner.lanes import Lanes
from runner.parallel import WorkerPool, one_ahead, parallel_map

SECONDS = 10


def ends(made):
    """The ends of all work, as it ends."""
    found = {}
    while made.keys:
        for key, result in made.ended():
            found[key] = result
            made.take_away(key)
    return found


def test_as_many_pieces_as_there_are_lanes_run_at_once():
    barrier = threading.Barrier(2)
    with Lanes(2) as made:
        for key in "ab":
            assert made.has_room
            made.start(key, lambda: barrier.wait(SECONDS))
        assert not made.has_room
        assert sorted(ends(made).values()) == [0, 1]


def test_one_lane_is_the_thread_of_the_caller():
    with Lanes(1) as made:
        made.start("a", threading.current_thread)
        assert ends(made) == {"a": threading.current_thread()}


def test_an_error_of_the_work_is_raised():
    def fail():
        raise KeyError("defect")

    with Lanes(2) as made:
        made.start("a", fail)
        with pytest.raises(KeyError):
            made.ended()


def nothing_comes():
    lanes.result_of(Future())


def sleeps():
    lanes.sleep(SECONDS * 100)


def waits_for_workers():
    free = threading.Event()
    with WorkerPool(lambda _: free.wait(SECONDS), 1) as pool:
        try:
            list(pool.run([1]))
        finally:
            free.set()


def maps():
    free = threading.Event()

    def release(item):
        return free.wait(0) if item else None

    def items():
        yield 0
        yield 1

    for _ in parallel_map(release, items(), 1):
        nothing_comes()


def reads_ahead():
    free = threading.Event()

    def items():
        free.wait(SECONDS)
        yield 1

    try:
        list(one_ahead(items()))
    finally:
        free.set()


@pytest.mark.parametrize("wait", [nothing_comes, sleeps, waits_for_workers, maps, reads_ahead])
def test_a_stop_ends_a_wait_once(wait):
    began = threading.Event()

    def work():
        began.set()
        try:
            wait()
        except AbortedError as error:
            lanes.check_stop()
            list(parallel_map(str, range(3)))  # the end of the work is not disturbed
            return error.exit_code
        return None

    with Lanes(2) as made:
        made.start("a", work)
        assert began.wait(SECONDS)
        made.stop(ExitCode.TERMINATED)
        assert ends(made) == {"a": ExitCode.TERMINATED}


def test_lanes_share_the_machine():
    both, in_flight, most = threading.Barrier(2), set(), []

    def count(item):
        in_flight.add(item)
        both.wait(SECONDS)
        most.append(len(in_flight))
        both.wait(SECONDS)
        in_flight.discard(item)

    def work():
        with WorkerPool(count, 8) as pool:
            list(pool.run(range(8)))
        return lanes.share_of(150), lanes.share_of(1)

    with Lanes(4) as made:
        made.start("a", work)
        assert ends(made) == {"a": (37, 1)}
    assert most == [2] * 8
    assert lanes.share_of(150) == 150


def test_workers_of_a_lane_are_not_stopped():
    begun = threading.Event()

    def worker(_):
        begun.set()
        lanes.check_stop()
        return lanes.may_be_stopped()

    def work():
        with WorkerPool(worker, 2) as pool:
            return [future.result() for _, future in pool.run([1])]

    with Lanes(2) as made:
        made.start("a", work)
        assert begun.wait(SECONDS)
        assert ends(made) == {"a": [False]}
