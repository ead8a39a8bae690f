"""What a person moved of a load plan, apart from what was planned around it: the rest follows what was moved."""

from __future__ import annotations

from typing import Any

import msgspec

from app.engine.values import LoadOptions
from app.ui.ports import SettingsPort

GENERAL = {"n_ctx": "engine.n_ctx", "n_threads": "engine.n_threads", "type_k": "cache.type_k", "type_v": "cache.type_v"}
"""What of a plan is worth keeping for every model, and the option it becomes."""


class Moves:
    """`changed`: what is shown is not what would be done without asking."""

    def __init__(self, settings: SettingsPort) -> None:
        self._settings = settings
        self._start: LoadOptions | None = None
        self._moved: dict[str, Any] = {}
        self.changed = False

    def forget(self) -> None:
        """As if nothing had been moved."""
        self._start, self._moved, self.changed = None, {}, False

    def go_on_from(self, options: LoadOptions) -> None:
        """What is kept for this model is the ground for what will be moved."""
        self._start = options

    def go_back(self) -> None:
        """To what the settings lead to, whatever is kept for this model."""
        self._start, self._moved, self.changed = self._settings.current.load_options(), {}, True

    def take(self, fields: dict[str, Any]) -> None:
        """These fields of LoadOptions were moved."""
        self._moved |= fields
        self.changed = True

    @property
    def asked(self) -> LoadOptions | None:
        """What to plan for; None is what would be done without asking."""
        if not self.changed:
            return None
        start = self._start or self._settings.current.load_options()
        return msgspec.structs.replace(start, **self._moved)

    @property
    def general(self) -> dict[str, Any]:
        """What was moved and could hold for every model, by option, as far as it differs from the settings."""
        now = self._settings.current.load_options()
        fields = {field: value for field, value in self._moved.items() if field in GENERAL}
        return {GENERAL[field]: value for field, value in fields.items() if getattr(now, field) != value}
