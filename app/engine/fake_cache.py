"""What the scripted worker (fake.py) remembers of conversations, and keeps in snapshot files, as the real one does.

A file holds the model's path and the pieces of text as JSON. No frames here, and no pieces are made here.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from app.engine.values import Adapter


class _File(msgspec.Struct):
    model: str
    pieces: list[str]
    adapters: tuple[Adapter, ...] = ()


class Cache:
    """The pieces that are held for each conversation, and the file of each."""

    def __init__(self) -> None:
        self._model = ""
        self._held: dict[str, _File] = {}
        self._files: dict[str, str] = {}
        self._dirty: set[str] = set()

    def begin(self, model: str) -> None:
        """A model was loaded: nothing is held."""
        self._model = model
        self._held.clear()
        self._files.clear()
        self._dirty.clear()

    def end(self) -> None:
        """The model goes: what changed is kept."""
        for sequence in [*self._dirty]:
            self.keep(sequence)
        self.begin("")

    def hold(self, sequence: str, pieces: list[str], file: str, adapters: tuple[Adapter, ...]) -> None:
        """A reply ended."""
        self._held[sequence], self._files[sequence] = _File(self._model, pieces, adapters), file
        self._dirty.add(sequence)

    def held(self, sequence: str, file: str, adapters: tuple[Adapter, ...]) -> list[str]:
        """What is held for a conversation with these adapters, brought back from its file if need be."""
        if sequence not in self._held and file and self._model:
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                found = msgspec.json.decode(Path(file).read_bytes(), type=_File)
                if (found.model, found.adapters) == (self._model, adapters):
                    self._held[sequence], self._files[sequence] = found, file
        held = self._held.get(sequence)
        return held.pieces if held is not None and held.adapters == adapters else []

    def count(self, sequence: str) -> int:
        """How many pieces are held for a conversation."""
        return len(self._held[sequence].pieces) if sequence in self._held else 0

    def keep(self, sequence: str) -> int:
        """Writes the file of a conversation, if it changed since; the bytes written."""
        file = self._files.get(sequence, "")
        if not file or sequence not in self._dirty:
            return 0
        path = Path(file)
        data = msgspec.json.encode(self._held[sequence])
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            return 0
        self._dirty.discard(sequence)
        return len(data)

    def forget(self, sequence: str) -> None:
        """A conversation is gone."""
        self._held.pop(sequence, None)
        self._files.pop(sequence, None)
        self._dirty.discard(sequence)
