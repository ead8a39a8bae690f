"""A loaded model as its snapshots see it: what they are valid for, its sequences, and the copying of their states.

`here` turns False before the model goes; nothing of it may be touched after that.
"""

from __future__ import annotations

from app.engine.gguf import fingerprint_of_model
from app.engine.worker import llama
from app.engine.worker.loading import Loaded
from app.engine.worker.slots import Overlay, Slot
from app.engine.worker.snapshot_file import Key
from app.engine.worker.state import State


class Seat:
    """Everything is for the llama.cpp thread but `key`, which reads the file's header once and may be asked by any.

    `overlay(adapters)` tells what identifies these adapters together."""

    def __init__(self, loaded: Loaded) -> None:
        context, model = loaded.context, loaded.model
        assert context is not None
        self.sequences = loaded.sequences
        self.context = context
        self.state = State(context)
        self.overlay = loaded.adapters.overlay
        self.here = True
        self._path = model.path
        self._model = ""
        self._architecture = model.metadata("general.architecture")
        original = model.metadata(f"{self._architecture}.rope.scaling.original_context_length")
        self._long_rope = original.isdigit() and context.n_cells > int(original) > 0
        self._types = loaded.options.type_k, loaded.options.type_v

    def key(self, overlay: Overlay) -> Key:
        """What its snapshots are valid for, of what was read with an overlay. Raises a ModelFileError."""
        self._model = self._model or fingerprint_of_model(self._path)
        return Key(
            model=self._model,
            build=f"{llama.package_version()}, {llama.build()}",
            architecture=self._architecture,
            type_k=self._types[0],
            type_v=self._types[1],
            flash_attention=self.context.flash_attention,
            long_rope=self._long_rope,
            in_parts=self.state.in_parts,
            adapters=[f"{fingerprint} {scale!r}" for fingerprint, scale in overlay],
        )

    def slot(self, name: str) -> Slot | None:
        """The place of a conversation in memory."""
        return self.sequences.find(name) if self.here else None
