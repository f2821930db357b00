import threading

from runner.state.sharing import held, is_free, wait_for_all


def test_many_hold_it_together_and_one_alone(tmp_path):
    lock = tmp_path / "locks" / "a"
    with held(lock, shared=True), held(lock, shared=True):
        assert is_free(lock, shared=True)
        assert not is_free(lock, shared=False)
    with held(lock, shared=False):
        assert not is_free(lock, shared=True)
    assert is_free(lock, shared=False)


def test_who_waits_for_all_goes_on_after_the_last_and_keeps_others_off(tmp_path):
    lock = tmp_path / "a"
    waiting = threading.Thread(target=wait_for_all, args=(lock,))
    with held(lock, shared=True):
        with held(lock, shared=True):
            waiting.start()
        assert waiting.is_alive()
    waiting.join(30)
    assert not waiting.is_alive()
    assert not is_free(lock, shared=True)
