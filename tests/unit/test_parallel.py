"""Requests run side by side, no wider than asked, and none is forgotten when a run ends early."""

import threading

from runner.parallel import WorkerPool


def test_every_ask_is_answered_once():
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


def test_asks_are_drawn_only_as_lanes_fall_free():
    drawn = []

    def asks():
        for number in range(100):
            drawn.append(number)
            yield number

    with WorkerPool(lambda n: n, 2) as pool:
        for _ask, _future in pool.run(asks()):
            break
    assert len(drawn) <= 4


def test_a_failure_reaches_the_consumer_through_its_own_answer():
    def work(ask):
        if ask == 2:
            raise ValueError(ask)
        return ask

    with WorkerPool(work, 2) as pool:
        assert [ask for ask, future in pool.run(range(5)) if future.exception()] == [2]


def test_what_is_under_way_at_an_early_end_is_told_with_its_answer():
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


def test_what_no_lane_had_begun_is_not_told_as_under_way():
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


def test_what_takes_too_long_to_settle_is_told_without_an_answer():
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
