"""Work in several processes: the order of the results, and processes that end too early."""

import os
import signal

import pytest

from runner.errors import AbortedError, ExitCode
from runner.runs.job_test_pool import FEW, Died, in_order, processes_for


def own_id(_item):
    return os.getpid()


def test_one_process_is_this_one_and_so_are_few_items():
    assert list(in_order(own_id, "abc", 1)) == [os.getpid()] * 3
    assert processes_for(FEW) == 1


def test_results_come_in_the_order_of_the_items_whichever_is_done_first(tmp_path):
    """The first one waits for the last one, by way of a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def work(item):
        if item == 0:
            return pipe.read_text()
        if item == 4:
            pipe.write_text("the last one")
        return item

    assert list(in_order(work, range(5), 2)) == ["the last one", 1, 2, 3, 4]


def test_a_process_that_dies_is_the_end_of_one_item_and_says_how():
    def work(item):
        if item == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "left":
            os._exit(7)
        return item

    found = list(in_order(work, ["a", "killed", "b", "left", "c", "killed"], 2))
    assert [str(each) for each in found] == [
        "a",
        "signal 9 (SIGKILL)",
        "b",
        "exit code 7",
        "c",
        "signal 9 (SIGKILL)",
    ]
    assert sum(isinstance(each, Died) for each in found) == 3


def test_a_signal_ends_every_process_in_its_own_way(tmp_path):
    """Each waits at a pipe that nobody writes; a stop is an AbortedError there."""
    pipe, ended = tmp_path / "pipe", tmp_path / "ended"
    os.mkfifo(pipe)
    ended.mkdir()

    def work(item):
        if item == "done":
            return item
        try:
            return pipe.read_text()
        except AbortedError:
            (ended / item).touch()
            raise

    results = in_order(work, ["done", "one", "two"], 2)
    assert next(results) == "done"
    # Opened once a process reads.
    with pipe.open("w"), pytest.raises(AbortedError) as caught:
        results.throw(AbortedError(ExitCode.INTERRUPTED))
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    assert list(ended.iterdir())
