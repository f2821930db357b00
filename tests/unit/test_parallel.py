"""Requests run side by side, no wider than asked, and none is forgotten when a run ends early."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from runner import lanes, parallel
from runner.errors import AbortedError
from runner.parallel import WorkerPool, one_ahead, parallel_map
from runner.salesforce.http import waits


def test_every_item_is_done_once():
    with WorkerPool(lambda n: n * n, 4) as pool:
        answers = {ask: future.result() for ask, future in pool.run(range(50))}
    assert answers == {n: n * n for n in range(50)}


def test_as_many_run_at_once_as_the_width_says_and_no_more():
    width = 3
    together = threading.Barrier(width, timeout=30)
    running, most = set(), []
    lock = threading.Lock()

    def work(ask):
        with lock:
            running.add(ask)
            most.append(len(running))
        together.wait()
        with lock:
            running.discard(ask)

    with WorkerPool(work, width) as pool:
        assert len(list(pool.run(range(9)))) == 9
    assert max(most) == width


def test_items_are_drawn_only_as_threads_become_free():
    drawn = []

    def asks():
        for number in range(100):
            drawn.append(number)
            yield number

    with WorkerPool(lambda n: n, 2) as pool:
        for _ask, _future in pool.run(asks()):
            break
    assert len(drawn) <= 4


def test_a_failure_reaches_the_consumer_through_its_own_result():
    def work(ask):
        if ask == 2:
            raise ValueError(ask)
        return ask

    with WorkerPool(work, 2) as pool:
        assert [ask for ask, future in pool.run(range(5)) if future.exception()] == [2]


def test_items_in_flight_at_an_early_end_come_with_their_results():
    all_begun = threading.Barrier(3, timeout=30)
    others_may_end = threading.Event()

    def work(ask):
        all_begun.wait()
        if ask:
            others_may_end.wait(30)
        return ask * 10

    with WorkerPool(work, 3) as pool:
        for ask, _future in pool.run(range(100)):
            assert ask == 0
            break
        others_may_end.set()
        ends = {ask: future.result() for ask, future in pool.drain(30)}
    assert ends == {1: 10, 2: 20}


def test_items_that_no_thread_has_started_are_not_in_flight():
    begun, may_end = threading.Event(), threading.Event()

    def work(ask):
        begun.set()
        may_end.wait(30)
        return ask

    with WorkerPool(work, 1) as pool:
        asks = pool.run(range(100))
        waiting = threading.Thread(target=next, args=(asks,))
        waiting.start()
        assert begun.wait(30)
        may_end.set()
        waiting.join(30)
        assert pool.drain(30) == []


def test_nobody_waits_for_items_that_no_thread_has_started(monkeypatch):
    begun, may_end = threading.Event(), threading.Event()

    def work(ask):
        if ask:
            begun.set()
            may_end.wait(30)

    def waited(futures, timeout):
        assert not any(future.cancelled() for future in futures)
        may_end.set()
        return wait(futures, timeout)

    # As when a thread has not come to take its item yet.
    monkeypatch.setattr(parallel, "ThreadPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    monkeypatch.setattr(parallel, "wait", waited)
    with WorkerPool(work, 3) as pool:
        for _ask, _future in pool.run(range(3)):
            assert begun.wait(30)
            break
        assert [ask for ask, future in pool.drain(30) if future] == [1]


def test_an_item_that_is_idle_ends_when_the_pool_is_drained():
    begun = threading.Barrier(2, timeout=30)

    def work(ask):
        begun.wait()
        if ask:
            with lanes.idle():
                lanes.sleep(3_000)
        lanes.sleep(0.0)  # what is in flight goes on
        return ask

    with WorkerPool(work, 2) as pool:
        for _ask, _future in pool.run(range(2)):
            break
        ((ask, future),) = pool.drain(30)
        assert ask == 1
        with pytest.raises(AbortedError):
            future.result()


def test_items_that_take_too_long_to_finish_come_without_a_result():
    both_begun = threading.Barrier(2, timeout=30)
    hold = threading.Event()

    def work(ask):
        both_begun.wait()
        if ask:
            hold.wait(30)
        return ask

    with WorkerPool(work, 2) as pool:
        for _ask, _future in pool.run(range(2)):
            break
        assert pool.drain(0) == [(1, None)]
        hold.set()


def test_results_come_in_the_order_of_their_items():
    first_may_end = threading.Event()

    def work(item):
        if item == 0:
            first_may_end.wait(30)
        first_may_end.set()
        return item * 10

    assert list(parallel_map(work, range(20), threads=2)) == [item * 10 for item in range(20)]


def test_only_a_few_items_are_drawn_ahead():
    drawn = []

    def items():
        for number in range(100):
            drawn.append(number)
            yield number

    results = parallel_map(lambda item: item, items(), threads=2)
    assert next(results) == 0
    assert len(drawn) <= 4
    results.close()


def test_a_result_that_was_given_is_not_kept():
    results = parallel_map(lambda n: [n], range(3), threads=1)
    for result in results:
        assert result not in results.gi_frame.f_locals.values()


def test_a_failure_ends_the_results_and_waits_for_the_items_in_flight():
    finished = []

    def work(item):
        if item == 1:
            raise ValueError(item)
        finished.append(item)
        return item

    with pytest.raises(ValueError, match="1"):
        list(parallel_map(work, range(100), threads=1))
    assert finished[0] == 0
    assert len(finished) <= 3


def test_the_next_item_is_drawn_while_one_is_used_and_no_more():
    second_drawn = threading.Event()
    drawn = []

    def items():
        for number in range(5):
            drawn.append(number)
            if number == 1:
                second_drawn.set()
            yield number

    ahead = one_ahead(items())
    assert next(ahead) == 0
    assert second_drawn.wait(30)
    assert drawn == [0, 1]
    assert list(ahead) == [1, 2, 3, 4]


def test_an_error_of_a_later_item_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ConnectionError

    seen = []
    with pytest.raises(ConnectionError):
        seen.extend(one_ahead(items()))
    assert seen == [1]


def test_what_waits_for_the_org_ends_when_nobody_wants_the_results():
    begun, ends = threading.Barrier(2, timeout=30), []

    def work(item):
        begun.wait()
        if item:
            try:
                lanes.sleep(30)
            except AbortedError:
                ends.append(item)
                raise
        return item

    results = parallel_map(work, range(2), 2)
    assert next(results) == 0
    results.close()
    assert ends == [1]


def test_an_idle_item_ends_while_it_waits_for_an_answer(wires):
    client, _silent = wires
    reading = threading.Barrier(2, timeout=30)

    def once(seconds):
        client.settimeout(seconds)
        return client.recv(1)

    def work(item):
        reading.wait()
        if item:
            with lanes.idle():
                waits.wait(once, 30)
        return item

    with WorkerPool(work, 2) as pool:
        for _item, _future in pool.run(range(2)):
            break
        ((item, future),) = pool.drain(60)
        assert item == 1
        with pytest.raises(AbortedError):
            future.result()


@pytest.fixture
def wires():
    pair = socket.socketpair()
    yield pair
    for each in pair:
        each.close()
