"""Snapshots of conversations: their way from the cache to files and back, without anybody waiting for a disk.

The llama.cpp thread only copies, a part at a time, between two steps; two threads of their own write and read. What
cannot be used for whatever reason is as if it were not there: a line on stderr, and the prompt is read anew. One on its
way is saving.py's and restoring.py's, the format snapshot_file.py's, the copying state.py's.
"""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from app.base.threads import NoRoom
from app.engine.errors import EngineError
from app.engine.protocol import NOTE, Ended, Forget, Forgotten, Generate, Keep, Kept, Restore, Restored
from app.engine.worker.asking import Asking, EndedError, Worker
from app.engine.worker.loading import Loaded
from app.engine.worker.restoring import Restoring
from app.engine.worker.saving import Pen, Saving
from app.engine.worker.seat import Seat
from app.engine.worker.slots import Slot
from app.engine.worker.snapshot_file import RESERVE_BYTES, Seal, SnapshotError, SnapshotMissingError, Unseal, as_it_is

LEAVE_S = 2.0  # for a conversation that must leave memory at once: what is not written by then is dropped
END_S = 0.5
CROWDED = 0.75  # of the cells: from here on what will have to leave first is written ahead


class Snapshots:
    """All methods are the llama.cpp thread's. `wake` makes it call `serve`; `finish` answers a request."""

    def __init__(
        self,
        wake: Callable[[], None],
        finish: Callable[[Ended], None],
        *,
        seal: Seal = as_it_is,
        unseal: Unseal = as_it_is,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._finish = finish
        self._unseal = unseal
        self._seat: Seat | None = None
        self._saving: dict[str, Saving] = {}
        self._restoring: dict[str, Restoring] = {}
        self._tried: set[int] = set()
        self._making_room: dict[int, list[Saving]] = {}
        self._refused: dict[str, int] = {}  # what could not be written at this length is not tried again at once
        self._asking = Asking(wake)
        self._pen = Pen(self._asking, seal, reserve_bytes)
        self._writer = Worker("snapshot writer", self._pen.rest)
        self._reader = Worker("snapshot reader", lambda: None)

    # --- the model ----------------------------------------------------------------------------------------------------

    def attach(self, loaded: Loaded) -> None:
        """A model was loaded."""
        self._seat = seat = Seat(loaded)
        seat.sequences.on_leave = self._on_leave

    def detach(self, timeout_s: float) -> None:
        """The model is about to go: what changed is written, the newest first, for as long as there is time."""
        deadline = time.monotonic() + timeout_s
        for restoring in self._restoring.values():
            restoring.cancelled = True
        if self._seat is None:
            return
        for slot in sorted(self._seat.sequences.slots, key=lambda slot: -slot.used):
            self._save(slot)
        self._asking.serve_until(lambda: not self._saving and not self._restoring, deadline)
        for saving in self._saving.values():
            saving.cancelled = True
        self._making_room.clear()
        self._refused.clear()
        self._seat.here = False
        self._seat = None

    def end(self) -> None:
        """No more snapshots; the threads end as soon as they can."""
        self._asking.end()
        self._writer.end(END_S)
        self._reader.end(END_S)

    def serve(self) -> None:
        """Do what the threads need of this one: copying a part takes some milliseconds."""
        self._asking.serve()
        if self._seat is not None and self._seat.sequences.n_held > CROWDED * self._seat.sequences.n_cells:
            idle = [slot for slot in self._seat.sequences.slots if not slot.busy and slot.n_past > 0]
            self._save_ahead(min(idle, key=lambda slot: slot.used, default=None))

    # --- commands -----------------------------------------------------------------------------------------------------

    def keep(self, command: Keep) -> None:
        """Write the snapshot of a conversation, if it has changed since. Answered when it is written."""
        slot = self._slot(command.sequence)
        saving = self._save(slot) if slot is not None else None
        if saving is not None:
            saving.requests.append(command.id)
        else:
            self._finish(Kept(id=command.id, tokens=slot.settled if slot is not None else 0))

    def restore(self, command: Restore) -> None:
        """Bring a conversation back into memory, if it is not there. Answered when it is there or cannot be."""
        name, slot = command.sequence, self._slot(command.sequence)
        missing = self._seat is not None and command.snapshot and not (slot and slot.settled)
        if name in self._restoring or (missing and self._begin(command)):
            self._restoring[name].requests.append(command.id)
        else:
            self._finish(Restored(id=command.id, tokens=slot.settled if slot is not None else 0))

    def forget(self, command: Forget) -> None:
        """A conversation is gone: nothing of it is written any more, and it leaves memory."""
        for under_way in (self._saving.get(command.sequence), self._restoring.get(command.sequence)):
            if under_way is not None:
                under_way.cancelled = True
        slot = self._slot(command.sequence)
        if slot is not None and slot.busy:
            slot.name, slot.snapshot = "", ""
        elif slot is not None and self._seat is not None:
            self._seat.sequences.forget(slot)
        self._finish(Forgotten(id=command.id))

    def waits(self, command: Generate) -> bool:
        """Whether a reply that could begin now has to wait: until its conversation is back in memory, or until the one
        that leaves for it is kept."""
        if self.is_restoring(command.sequence):
            return True
        slot = self._slot(command.sequence)
        held = slot is not None and slot.settled > 0
        if self._seat is not None and command.snapshot and not held and command.id not in self._tried:
            self._tried.add(command.id)
            if self._begin(command):
                return True
        if command.id not in self._making_room:
            self._making_room[command.id] = self._make_room(command.sequence)
        return not all(saving.ended.is_set() for saving in self._making_room[command.id])

    def answered(self, request: int) -> None:
        """A request has ended, or begins no more: nothing of it is remembered."""
        self._tried.discard(request)
        self._making_room.pop(request, None)

    def is_restoring(self, name: str) -> bool:
        """Whether this conversation is on its way into memory; the llama.cpp thread is woken when it is there."""
        return name in self._restoring

    def _slot(self, name: str) -> Slot | None:
        return self._seat.slot(name) if self._seat is not None else None

    # --- on their way -------------------------------------------------------------------------------------------------

    def _make_room(self, name: str) -> list[Saving]:
        """Have kept what will leave for this conversation, while all others go on."""
        leaving = self._seat.sequences.leave_next(name) if self._seat is not None else []
        return [saving for slot in leaving if (saving := self._save_ahead(slot)) is not None]

    def _save_ahead(self, slot: Slot | None) -> Saving | None:
        if slot is None or self._refused.get(slot.name) == slot.settled:
            return None
        return self._save(slot)

    def _on_leave(self, slot: Slot) -> None:
        """Its cells are about to be another's; usually all was written long before."""
        saving = self._save(slot)
        if saving is not None:
            written = self._asking.serve_until(
                lambda: self._saving.get(saving.name) is not saving, time.monotonic() + LEAVE_S
            )
            saving.cancelled = not written

    def _save(self, slot: Slot) -> Saving | None:
        if self._seat is None or not slot.snapshot or not slot.dirty or slot.settled <= 0:
            return None
        known = self._saving.get(slot.name)
        if known is not None and not known.cancelled:
            return known
        saving = Saving(self._seat, slot)
        try:
            self._writer.submit(partial(self._write, saving))
        except NoRoom as error:
            _note(saving.path, "was not written", error.detail)
            return None
        self._saving[slot.name] = saving
        return saving

    def _write(self, saving: Saving) -> None:
        """On the writer's thread."""
        size = 0
        with _edge("was not written", saving.path):
            size = saving.write(self._pen)
        with contextlib.suppress(EndedError):
            self._asking.ask(partial(self._saved, saving, size))

    def _saved(self, saving: Saving, size: int) -> None:
        if self._saving.get(saving.name) is saving:
            del self._saving[saving.name]
        saving.saved(size)
        if size:
            self._refused.pop(saving.name, None)
        else:
            self._refused[saving.name] = len(saving.tokens)
        saving.ended.set()
        for request in saving.requests:
            self._finish(Kept(id=request, tokens=len(saving.tokens) if size else 0, size_bytes=size))

    def _begin(self, command: Generate | Restore) -> bool:
        """Have a conversation brought back that is not on its way; False where that cannot be."""
        assert self._seat is not None
        name = command.sequence
        try:
            overlay = self._seat.overlay(command.adapters)
        except EngineError:
            return False
        restoring = Restoring(self._seat, name, Path(command.snapshot), command.snapshot_limit, overlay)
        try:
            self._reader.submit(partial(self._read, restoring))
        except NoRoom as error:
            _note(restoring.path, "is not used", error.detail)
            return False
        self._restoring[name] = restoring
        return True

    def _read(self, restoring: Restoring) -> None:
        """On the reader's thread."""
        with _edge("is not used", restoring.path):
            restoring.read(self._asking, self._unseal, partial(self._make_room, restoring.name))
        with contextlib.suppress(EndedError):
            self._asking.ask(partial(self._restored, restoring))

    def _restored(self, restoring: Restoring) -> None:
        if self._restoring.get(restoring.name) is restoring:
            del self._restoring[restoring.name]
        for request in restoring.requests:
            self._finish(Restored(id=request, tokens=restoring.tokens))


@contextlib.contextmanager
def _edge(what: str, path: Path) -> Iterator[None]:
    """The edge of a thread: whatever is wrong with one snapshot costs this snapshot, and a line."""
    try:
        yield
        return
    except (EndedError, SnapshotMissingError):
        return
    except SnapshotError as error:
        why = str(error)
    except Exception:  # noqa: BLE001 - a thread that ended would leave every later snapshot waiting
        why = traceback.format_exc(limit=-4)
    _note(path, what, why)


def _note(path: Path, what: str, why: str) -> None:
    sys.stderr.write(f"{NOTE}the snapshot {path.name} {what}: {why}\n")
    sys.stderr.flush()
