import re
from threading import Event, Thread

from runner.job.yaml import late_patterns
from runner.job.yaml.late_patterns import LatePattern, compiled_late


def test_a_pattern_is_compiled_when_it_is_used(monkeypatch):
    monkeypatch.setattr(late_patterns, "active_count", lambda: 1)
    with compiled_late():
        late = re.compile("(")
        words = re.compile("A(b+)", re.IGNORECASE)
    assert isinstance(re.compile("a"), re.Pattern)
    assert words.match("abb")[1] == "bb"
    assert words.search("xab").start() == 1
    assert words.sub("-", "ab") == "-"
    assert words.flags & re.IGNORECASE
    assert isinstance(late, LatePattern)  # it would be refused


def test_beside_other_threads_patterns_are_compiled_at_once():
    until = Event()
    other = Thread(target=until.wait)
    other.start()
    with compiled_late():
        assert isinstance(re.compile("a"), re.Pattern)
    until.set()
    other.join()
