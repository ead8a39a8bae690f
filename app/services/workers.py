"""Further computers that take part of a model (settings: `engine.workers`): whether they may be asked, whether they are
there, and which ones the loaded model uses.

The gate is asked before an endpoint is handed to the engine, which then talks to it by itself (llama.cpp's RPC).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec

from app.engine.client import EngineClient
from app.engine.errors import WorkerUnreachable
from app.engine.values import EngineInfo
from app.privacy.errors import NetworkError
from app.privacy.gate import Gate

log = logging.getLogger(__name__)


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine finds at this moment, with the devices of those `endpoints` that may be asked and are there.
    `line` says why another one does not take part."""

    info: EngineInfo
    endpoints: tuple[str, ...]
    line: str = ""


class Workers:
    """Thread-safe. `told` hears which other computers (HOST:PORT, this one left out) the loaded model uses."""

    def __init__(
        self, engine: EngineClient, gate: Gate, told: Callable[[tuple[str, ...]], None] = lambda endpoints: None
    ) -> None:
        self._engine = engine
        self._gate = gate
        self._told = told

    def reach(self, endpoints: Sequence[str], timeout_s: float | None = None) -> Reached:
        """Asks the engine what there is. Raises EngineError, and TimeoutError."""
        allowed, line = self._allowed(endpoints)
        while True:
            try:
                info = self._engine.describe(allowed).result(timeout_s)
                return Reached(info=info, endpoints=tuple(allowed), line=line)
            except WorkerUnreachable as error:
                log.info("a further computer does not answer: %s", error.detail)
                if error.detail not in allowed:
                    raise
                allowed.remove(error.detail)
                line = f"{error.sentence} It takes no part now."

    def used(self, endpoints: Sequence[str]) -> None:
        """A model was loaded that uses these, or none."""
        self._told(tuple(one for one in endpoints if not self._gate.is_here(one)))

    def _allowed(self, endpoints: Sequence[str]) -> tuple[list[str], str]:
        found, line = [], ""
        for endpoint in endpoints:
            try:
                self._gate.compute(endpoint)
            except NetworkError as error:
                log.info("a further computer is not asked: %s", error.code)
                line = line or f"{error.sentence} {endpoint} takes no part now."
            else:
                found.append(endpoint)
        return found, line
