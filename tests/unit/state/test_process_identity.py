import os
import socket
import subprocess
import sys
from dataclasses import replace

from runner.state.process_identity import Presence, _began


def test_this_process_is_here():
    here = Presence.here()
    assert here.pid == os.getpid()
    assert not here.is_gone()


def test_a_process_that_ended_is_gone():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert replace(Presence.here(), pid=child.pid, began=None).is_gone()


def test_another_process_that_took_the_pid_is_not_the_one():
    assert replace(Presence.here(), began="boot/1").is_gone()


def test_of_another_machine_nothing_is_sure():
    assert not Presence(999_999_999, "elsewhere.example").is_gone()


def test_a_process_that_ended_and_was_not_asked_how_is_gone():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = _began(child.pid)
    there = Presence(child.pid, socket.gethostname(), began)
    assert not there.is_gone()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert there.is_gone() == (began is not None)
    child.communicate()
