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


def _mapping_has_three_ways(raw: Raw) -> Raw:
    """engine.use_mmap, on or off, became engine.mmap: off is never, and what was on by itself is left open."""
    engine = raw.get("engine")
    if not isinstance(engine, dict) or "use_mmap" not in engine:
        return raw
    kept = {name: value for name, value in engine.items() if name != "use_mmap"}
    return {**raw, "engine": {**({"mmap": "never"} if engine["use_mmap"] is False else {}), **kept}}


STEPS: tuple[Callable[[Raw], Raw], ...] = (_single_files_have_a_group, _mapping_has_three_ways)
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
