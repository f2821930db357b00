"""One loop sends the pieces of every write."""

import threading
from functools import partialmethod
from itertools import count
from types import SimpleNamespace

import pytest

from runner.engine.deadline import Deadline
from runner.engine.sending import SendingLoop
from runner.errors import AbortedError, ExitCode, LimitError, OrgError, StateError
from runner.job.choices import Concurrency
from runner.parallel import WorkerPool

WIDTH = 4


class Sender:
    """Answers each piece with itself, or with the error it stands for."""

    def __init__(self):
        self.received = []
        self.lost = []
        self.started = threading.Semaphore(0)
        self.in_flight = 0
        self.most_in_flight = 0
        self._lock = threading.Lock()

    def send(self, piece):
        self.started.release()
        with self._lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if isinstance(piece, threading.Barrier | threading.Event):
                piece.wait(timeout=10)
            if isinstance(piece, Exception):
                raise piece
            return piece
        finally:
            with self._lock:
                self.in_flight -= 1

    def receive(self, piece, answer):
        assert answer is piece
        self.received.append(piece)

    def unanswered(self, piece, error):
        self.lost.append((piece, error))


def prepared(concurrency=Concurrency.PARALLEL, timeout_seconds=None, clock=lambda: 0.0):
    task = SimpleNamespace(name="a", concurrency=concurrency, timeout_seconds=timeout_seconds)
    context = SimpleNamespace(
        deadline=lambda task: Deadline(task, clock), session=SimpleNamespace(observer=None)
    )
    return SimpleNamespace(task=task, context=context)


def loop_of(sender, **options):
    return SendingLoop(sender, prepared(**options), WIDTH)


def test_every_piece_is_sent_and_received():
    sender = Sender()
    assert loop_of(sender).run(range(20)) is None
    assert sorted(sender.received) == list(range(20))
    assert sender.lost == []


def test_as_many_pieces_as_the_width_are_in_flight_at_once():
    sender = Sender()
    assert loop_of(sender).run([threading.Barrier(WIDTH)] * WIDTH) is None
    assert sender.most_in_flight == WIDTH


def test_serial_pieces_are_in_flight_one_at_a_time():
    sender = Sender()
    assert loop_of(sender, concurrency=Concurrency.SERIAL).run(range(20)) is None
    assert sender.most_in_flight == 1
    assert sender.received == list(range(20))


def test_the_first_error_ends_it_and_nothing_more_is_sent():
    sender = Sender()
    first, second = LimitError("first"), OrgError("second")
    loop = loop_of(sender, concurrency=Concurrency.SERIAL)
    assert loop.run([1, first, second, 2]) is first
    assert sender.received == [1]
    assert sender.lost == [(first, first)]


def test_pieces_in_flight_are_waited_for_after_an_error():
    sender = Sender()
    error, waiting = LimitError("spent"), threading.Event()
    sender.unanswered = lambda *_: waiting.set()
    assert loop_of(sender).run([waiting, error]) is error
    assert sender.received == [waiting]


def test_what_is_no_error_of_the_runner_is_raised():
    with pytest.raises(ZeroDivisionError):
        loop_of(Sender()).run([ZeroDivisionError()])


def test_nothing_is_sent_once_the_time_is_up():
    seconds = count()
    sender = Sender()
    options = {"concurrency": Concurrency.SERIAL, "timeout_seconds": 3}
    error = loop_of(sender, clock=lambda: next(seconds), **options).run(range(20))
    assert error.exit_code is ExitCode.TEMPORARY
    assert error.message == "Task 'a' took longer than its timeout of 3 s."
    assert sender.received == [0, 1]


def test_a_piece_that_comes_back_is_sent_before_new_ones():
    sender = Sender()
    loop = loop_of(sender, concurrency=Concurrency.SERIAL)
    sender.receive = lambda piece, _: (
        sender.received.append(piece),
        loop.send_again("again") if piece == 0 else None,
    )
    assert loop.run([0, 1]) is None
    assert sender.received == [0, "again", 1]


def test_a_piece_that_comes_back_last_is_sent_too():
    sender = Sender()
    loop = loop_of(sender)
    sender.receive = lambda piece, _: (
        sender.received.append(piece),
        loop.send_again("again") if piece == 0 else None,
    )
    assert loop.run([0]) is None
    assert sender.received == [0, "again"]


def interrupted(sender, pieces, error):
    """Pieces that are all under way when the error comes."""
    yield from pieces
    for _ in pieces:
        assert sender.started.acquire(timeout=10)
    raise error


@pytest.mark.parametrize("error", [AbortedError(ExitCode.INTERRUPTED), StateError("disk full")])
def test_answers_that_come_late_are_received_before_it_ends(error):
    sender = Sender()
    assert loop_of(sender).run(interrupted(sender, [1, 2], error)) is error
    assert sorted(sender.received) == [1, 2]


def test_a_late_answer_that_cannot_be_recorded_does_not_hide_why_it_ended():
    sender = Sender()

    def full(*_):
        raise StateError("disk full")

    sender.receive = full
    error = AbortedError(ExitCode.TERMINATED)
    assert loop_of(sender).run(interrupted(sender, [1], error)) is error


def test_a_piece_that_is_still_in_flight_at_the_end_is_unanswered(monkeypatch):
    monkeypatch.setattr(WorkerPool, "drain", partialmethod(WorkerPool.drain, 0.0))
    sender, never = Sender(), threading.Event()
    error = AbortedError(ExitCode.INTERRUPTED)
    try:
        assert loop_of(sender).run(interrupted(sender, [never], error)) is error
        ((piece, reason),) = sender.lost
        assert piece is never
        assert isinstance(reason, AbortedError)
    finally:
        never.set()
