"""The lock that many hold together or one alone."""

from __future__ import annotations

import threading

from app.services.sharing import Shared

GUARD_S = 30.0


def test_many_hold_it_together() -> None:
    lock = Shared()
    both = threading.Barrier(2, timeout=GUARD_S)

    def user() -> None:
        with lock.use():
            both.wait()  # each is inside while the other is

    threads = [threading.Thread(target=user) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD_S)
        assert not thread.is_alive()
    assert not both.broken


def test_one_alone_waits_for_the_users_and_keeps_further_ones_out() -> None:
    lock = Shared()
    never = threading.Event()
    order: list[str] = []
    waiting = threading.Event()

    def alone() -> None:
        waiting.set()
        with lock.alone(never) as held:
            order.append(f"alone {held}")

    def late() -> None:
        with lock.use():
            order.append("late")

    with lock.use():
        loader = threading.Thread(target=alone)
        loader.start()
        assert waiting.wait(GUARD_S)
        while not lock._wanted:  # it has begun to wait
            threading.Event().wait(0.001)
        user = threading.Thread(target=late)
        user.start()
        order.append("first")
    loader.join(GUARD_S)
    user.join(GUARD_S)
    assert order == ["first", "alone True", "late"]


def test_alone_is_given_up() -> None:
    lock = Shared()
    cancelled = threading.Event()
    cancelled.set()
    with lock.use(), lock.alone(threading.Event(), cancelled) as held:
        assert not held
    with lock.alone(cancelled) as held:
        assert held, "nothing was in the way"
    with lock.use():
        pass
