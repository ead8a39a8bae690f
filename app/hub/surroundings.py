"""What all files of one download share: the gate, threads, manner, and how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from app.hub.pace import Manner, Throttle
from app.privacy.gate import Gate


class Spawn(Protocol):
    """Runs a function on a thread of its own with this name."""

    def __call__(self, name: str, run: Callable[[], None], /) -> None: ...


class Surroundings:
    """What all files of a download share. `ended` is set to stop it; `say` hears what a person may want to know."""

    def __init__(
        self,
        gate: Gate,
        spawn: Spawn,
        token: Callable[[], str] = str,
        *,
        manner: Manner | None = None,
        throttle: Throttle | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.gate = gate
        self.spawn = spawn
        self.token = token
        self.manner = manner or Manner()
        self.throttle = throttle or Throttle()
        self.say = say
        self.ended = threading.Event()
