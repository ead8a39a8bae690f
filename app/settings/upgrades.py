"""Steps that carry an older settings file forward. Each is frozen in time: it knows plain dictionaries, never
today's schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Raw = dict[str, Any]


def _single_files_have_a_group(raw: Raw) -> Raw:
    """general.model_files became models.files."""
    general, models = raw.get("general"), raw.get("models")
    if not isinstance(general, dict) or "model_files" not in general:
        return raw
    kept = {name: value for name, value in general.items() if name != "model_files"}
    known = models if isinstance(models, dict) else {}
    return {**raw, "general": kept, "models": {"files": general["model_files"], **known}}


STEPS: tuple[Callable[[Raw], Raw], ...] = (_single_files_have_a_group,)
"""STEPS[n] makes version n + 2 of version n + 1."""

VERSION = len(STEPS) + 1


def upgrade(raw: Raw, steps: tuple[Callable[[Raw], Raw], ...] = STEPS) -> Raw:
    """The same settings in the newest form. A file from a newer version is left as it is: what is known of it is
    used."""
    version = raw.get("version", 1)
    if not isinstance(version, int) or version < 1:
        version = 1
    for step in steps[version - 1 :]:
        raw = step(raw)
    return {**raw, "version": max(version, len(steps) + 1)}
