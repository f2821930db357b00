"""Requests run side by side, no wider than asked, and stop when the consumer does."""

import threading

import pytest

from runner.engine.lanes import side_by_side


def test_every_ask_is_answered_once():
    answers = {
        ask: future.result() for ask, future in side_by_side(lambda n: n * n, range(50), width=4)
    }
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

    assert len(list(side_by_side(work, range(9), width=width))) == 9
    assert max(most) == width


def test_asks_are_drawn_only_as_lanes_fall_free():
    drawn = []

    def asks():
        for number in range(100):
            drawn.append(number)
            yield number

    for _ask, _future in side_by_side(lambda n: n, asks(), width=2):
        assert len(drawn) <= 4
        break
    assert len(drawn) <= 4


def test_a_failure_reaches_the_consumer_through_its_own_answer():
    def work(ask):
        if ask == 2:
            raise ValueError(ask)
        return ask

    failed = [ask for ask, future in side_by_side(work, range(5), width=2) if future.exception()]
    assert failed == [2]


def test_a_consumer_that_raises_starts_nothing_new():
    begun = []

    def work(ask):
        begun.append(ask)
        return ask

    def consume():
        for _ask, _future in side_by_side(work, range(1000), width=2):
            raise KeyError

    with pytest.raises(KeyError):
        consume()
    assert len(begun) <= 4
