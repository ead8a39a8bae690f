"""One worker process at a time: started when first wanted, watched, stopped, and started again when it died by itself.

It moves frames and knows no command but Ping and Shutdown; what a frame means is the client's business. Threads:
`engine reader` starts a process, hands on its events, and sees its end: one thread for all of them, because on Linux a
child that asked to die with its parent dies with the *thread* that started it. `engine heartbeat` counts ticks for as
long as the supervisor lives; `engine writer` and `engine stderr` (run.py) belong to one process each.

Time is counted in ticks of the heartbeat, never as a difference of clocks: after the computer slept, one tick has
passed, and nobody is killed for having slept too. `close` and `rest` are the stop ladder: Shutdown frame and end of
input, then terminate, then kill, each with its own time-out.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.base.threads import start_thread
from app.engine import outcome as outcomes
from app.engine import protocol, wire
from app.engine.outcome import Cause, Ending, Outcome
from app.engine.run import Run

_log = logging.getLogger(__name__)


class State(enum.Enum):
    """What the engine process is doing."""

    IDLE = "idle"  # no process: nothing was asked yet, or it rests until something is
    STARTING = "starting"
    READY = "ready"
    DIED = "died"  # ended by itself; it is about to be started again
    GIVEN_UP = "given_up"  # ended at its start again and again; the next command tries once more
    CLOSED = "closed"


@dataclass(frozen=True)
class Timing:
    """Every time-out of the supervisor. Ticks are `tick_s` seconds of the computer being awake."""

    tick_s: float = 1.0
    start_ticks: int = 60  # a cold disk and a virus scanner included
    missed_ticks: int = 15  # a machine that swaps answers late, and must not lose its model for that
    healthy_ticks: int = 60  # a process that lived this long begins a new row of restarts
    shutdown_s: float = 3.0
    terminate_s: float = 2.0
    kill_s: float = 5.0
    back_off_s: tuple[float, ...] = (0.2, 1.0, 5.0, 15.0)
    failed_starts: int = 5  # in a row, before giving up


class Supervisor:
    """Keeps one engine process. All callbacks come from the reader thread, one at a time, and must not block.

    `on_event(event)`; `on_exit(outcome, run)` when run number `run` has ended and all its events were handed on;
    `on_state(state, outcome)`, where the outcome is given when a process ended: DIED, GIVEN_UP, CLOSED, IDLE.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_event: Callable[[protocol.Event], None],
        on_exit: Callable[[Outcome, int], None],
        on_state: Callable[[State, Outcome | None], None] = lambda state, outcome: None,
        timing: Timing | None = None,
    ) -> None:
        self._command = list(command)
        self._timing = timing or Timing()
        self._on_event, self._on_exit, self._on_state = on_event, on_exit, on_state
        self._changed = threading.Condition()
        self._state = State.IDLE
        self._wanted = False
        self._closing = False
        self._resting = False
        self._hurried = False
        self._run: Run | None = None
        self._number = 1
        self._outbox: list[bytes] = []  # frames for the run that is not ready yet
        self._threads: list[threading.Thread] = []

    @property
    def state(self) -> State:
        """The state as last reported."""
        return self._state

    @property
    def pid(self) -> int | None:
        """The process id while a process runs."""
        run = self._run
        return run.pid if run else None

    def send(self, frame: protocol.Command) -> int:
        """Queue a frame, starting the process if needed; the number of the run it goes to. Never blocks.

        Raises RuntimeError after close, and NoRoom.
        """
        with self._changed:
            if self._closing:
                raise RuntimeError("the supervisor is closed")
            self._wanted = True
            if self._state is State.READY and self._run is not None and not self._resting:
                self._run.send(wire.pack(frame))
            else:
                self._outbox.append(wire.pack(frame))
            threads = ("engine reader", self._live), ("engine heartbeat", self._beat)
            for name, target in threads[len(self._threads) :]:
                thread = threading.Thread(target=target, name=name, daemon=True)
                start_thread(thread)
                self._threads.append(thread)
            self._changed.notify_all()
            return self._number + 1 if self._resting else self._number

    def rest(self) -> None:
        """End the process, whatever it does, and start none before the next frame is sent. Returns when it is gone.

        Not for the reader thread. Frames sent meanwhile go to the next process.
        """
        with self._changed:
            if self._closing or not (self._wanted or self._resting):
                return
            if not self._resting:
                self._resting, self._wanted = True, False
                self._outbox.clear()
            self._changed.notify_all()
            run = self._run
        if run is not None:
            self._stop(run)
        with self._changed:
            self._changed.wait_for(lambda: not self._resting, 4 * self._timing.kill_s)

    def hurry(self) -> None:
        """Start the process that is due without waiting: whoever asks knows what the last one died of."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def _stop(self, run: Run) -> None:
        run.stop(self._timing.shutdown_s, self._timing.terminate_s, self._timing.kill_s)

    def close(self) -> None:
        """The stop ladder. Returns when the process is gone and every thread has ended; may be called again."""
        with self._changed:
            first = not self._closing
            self._closing = True
            self._changed.notify_all()
            run = self._run
        if run is not None:
            self._stop(run)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(4 * self._timing.kill_s)  # a process that not even kill can end must not hold up the exit
        if first and not self._threads:
            self._report(State.CLOSED, outcomes.describe(Ending(Cause.ASKED)))

    # --- the reader thread ----------------------------------------------------------------------------------------

    def _live(self) -> None:
        failed_starts = restarts = 0
        while self._wait_until_wanted():
            outcome, was_ready, was_healthy = self._one_run()
            failed_starts = 0 if was_ready else failed_starts + 1
            restarts = 1 if was_healthy else restarts + 1
            give_up = failed_starts >= self._timing.failed_starts or outcome.kind == Cause.WRONG_PROTOCOL.value
            with self._changed:
                ended, self._number = self._number, self._number + 1
                self._run = None
                resting, self._resting = self._resting, False
                if not resting:  # else they were sent to the next one
                    self._outbox.clear()
                    self._wanted = not give_up
                self._hurried = False
                closing = self._closing
                state = (
                    State.CLOSED if closing else State.IDLE if resting else State.GIVEN_UP if give_up else State.DIED
                )
                self._state = state
                self._changed.notify_all()
            if not outcome.expected:
                _log.info("the engine process ended: %s (%s)", outcome.kind, outcome.detail.splitlines()[:1])
            self._on_exit(outcome, ended)
            self._on_state(state, outcome)
            if give_up or resting:
                failed_starts = restarts = 0
            elif not closing:
                steps = self._timing.back_off_s
                pause_s = steps[min(restarts, len(steps)) - 1]
                with self._changed:
                    self._changed.wait_for(lambda: self._closing or self._hurried or self._resting, timeout=pause_s)
        if self._state is not State.CLOSED:
            self._report(State.CLOSED, outcomes.describe(Ending(Cause.ASKED)))

    def _wait_until_wanted(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._resting or self._closing)
            return not self._closing

    def _one_run(self) -> tuple[Outcome, bool, bool]:
        """Start a process and hand on its events until it ends: the outcome, was it ever ready, did it live long."""
        with self._changed:
            if self._resting:  # the last one had died, and no other is to be started
                return outcomes.describe(Ending(Cause.ASKED)), True, True
        self._report(State.STARTING, None)
        kills_before = outcomes.memory_kills()
        try:
            run = Run(self._command)
        except OSError as error:
            note = f"{type(error).__name__}: {error.strerror or error}"
            cause = Cause.NO_ROOM if error.errno in (errno.ENOMEM, errno.EAGAIN) else Cause.NOT_STARTED
            return outcomes.describe(Ending(cause, note=note)), False, False
        with self._changed:
            self._run = run
            unwanted = self._closing or self._resting
        if unwanted:  # close() or rest() came while the process was being created and did not see it
            self._stop(run)
        try:
            for body in wire.read_bodies(run.events):
                self._handle(run, wire.unpack_event(body))
                if run.condemned is not None:
                    break
        except wire.FrameError as error:
            run.condemn(Cause.BAD_FRAME, str(error))
        except (OSError, ValueError) as error:  # the pipe broke
            run.note = f"{type(error).__name__}: {error}"
        returncode = run.reap(self._timing.kill_s)
        kills = outcomes.memory_kills()
        ending = Ending(
            cause=run.condemned or (Cause.ASKED if run.asked else Cause.ITSELF),
            returncode=returncode,
            stderr=run.stderr_tail(),
            memory_kills=None if kills is None or kills_before is None else kills - kills_before,
            note=run.note,
        )
        return outcomes.describe(ending), run.ready, run.ticks >= self._timing.healthy_ticks

    def _handle(self, run: Run, event: protocol.Event) -> None:
        if isinstance(event, protocol.Pong):
            run.pong(event.n)
        elif isinstance(event, protocol.Hello):
            if event.protocol != protocol.VERSION:
                run.condemn(Cause.WRONG_PROTOCOL, f"protocol {event.protocol} instead of {protocol.VERSION}")
                return
            with self._changed:
                run.ready = True
                for frame in self._outbox:
                    run.send(frame)
                self._outbox.clear()
                self._state = State.READY  # set under the lock: from here on send() goes to the run itself
            self._on_state(State.READY, None)
        elif run.ready:
            self._on_event(event)
        else:
            run.condemn(Cause.BAD_FRAME, f"{type(event).__name__} before Hello")

    def _report(self, state: State, outcome: Outcome | None) -> None:
        with self._changed:
            self._state = state
        self._on_state(state, outcome)

    # --- the heartbeat thread -------------------------------------------------------------------------------------

    def _beat(self) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, timeout=self._timing.tick_s):
                    return
                run = self._run
            if run is None:
                continue
            with contextlib.suppress(OSError):
                late = run.tick()
                if run.ready and late > self._timing.missed_ticks:
                    run.condemn(Cause.HUNG, f"{late} pings unanswered")
                elif not run.ready and run.ticks > self._timing.start_ticks:
                    run.condemn(Cause.SLOW_START, f"not ready after {run.ticks} ticks")
