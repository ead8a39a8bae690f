"""What is told of the engine and the model it loads: the last EngineChanged, and how the next one is made."""

from __future__ import annotations

from app.engine.values import LoadedModel, ModelFile
from app.services.changes import EngineChanged, EngineState, Publisher
from app.services.load_wishes import Ready


class Announcing:
    """`state` is the last EngineChanged. Thread-safe."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.state = EngineChanged(state=EngineState.OFF)

    def publish(self, change: EngineChanged) -> None:
        """Tells this."""
        self.state = change
        self._publisher.publish(change)

    def model(
        self, state: EngineState, file: ModelFile, *, fraction: float = 0.0, model: LoadedModel | None = None,
        sentence: str = "", detail: str = "", restarted: bool = False, stepped_down: str = "", can_insist: bool = False,
    ) -> None:  # fmt: skip
        """Tells something of a model. The bytes of a load are those of its files."""
        loading = state is EngineState.LOADING
        self.publish(
            EngineChanged(
                state=state, model_id=file.id, model_name=file.name, fraction=fraction, model=model, sentence=sentence,
                detail=detail, restarted=restarted, stepped_down=stepped_down, can_insist=can_insist,
                done_bytes=round(fraction * file.size_bytes), total_bytes=file.size_bytes if loading else 0,
            )
        )  # fmt: skip

    def ready(self, ready: Ready, *, restarted: bool = False, sentence: str = "") -> None:
        """A model is loaded. `sentence`: why another one is not."""
        self.model(
            EngineState.READY, ready.file, model=ready.model, restarted=restarted, sentence=sentence,
            stepped_down=ready.stepped_down,
        )  # fmt: skip

    def said(self, ready: Ready) -> bool:
        """Whether this was the last thing told, without a word about a refusal; a second wish then says nothing new."""
        state = self.state
        return state.state is EngineState.READY and state.model_id == ready.file.id and not state.sentence
