"""Further computers that take part of a model: whether they may be asked, and which ones are at work now.

The gate is asked before an endpoint is handed to the engine, which then talks to it by itself (llama.cpp's RPC).
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from app.privacy.errors import NetworkError
from app.privacy.gate import Gate

log = logging.getLogger(__name__)


class Computers:
    """Thread-safe. `told` hears which other computers (HOST:PORT, this one left out) a loaded model uses."""

    def __init__(self, gate: Gate, told: Callable[[tuple[str, ...]], None] = lambda hosts: None) -> None:
        self._gate = gate
        self._told = told

    def allowed(self, endpoints: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """Those of the endpoints that the gate lets through, and a line about the first that it does not."""
        found, line = [], ""
        for endpoint in endpoints:
            try:
                self._gate.compute(endpoint)
            except NetworkError as error:
                log.info("a further computer is not asked: %s", error.code)
                line = line or f"{error.sentence} The model is loaded without {endpoint}."
            else:
                found.append(endpoint)
        return tuple(found), line

    def used(self, endpoints: tuple[str, ...]) -> None:
        """A model was loaded that uses these, or none."""
        self._told(tuple(one for one in endpoints if not self._gate.is_here(one)))
