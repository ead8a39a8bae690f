"""The programs whose models are looked for."""

from __future__ import annotations

from collections.abc import Callable

from app.engine.values import Origin
from app.hub.elsewhere.hugging_face import hugging_face
from app.hub.elsewhere.lm_studio import lm_studio
from app.hub.elsewhere.ollama import ollama
from app.hub.elsewhere.system import Root, System

PROGRAMS: dict[Origin, Callable[[System], list[Root]]] = {
    Origin.LM_STUDIO: lm_studio,
    Origin.OLLAMA: ollama,
    Origin.HUGGING_FACE: hugging_face,
}

NAMES = {
    Origin.LM_STUDIO: "LM Studio",
    Origin.OLLAMA: "Ollama",
    Origin.HUGGING_FACE: "the Hugging Face cache",
}
