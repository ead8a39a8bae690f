"""Loads a script of `packaging/` as a module, with those beside it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).resolve().parents[2] / "packaging"


def script(name: str) -> ModuleType:
    """The script of this name, as the scripts see each other."""
    sys.path.append(str(SCRIPTS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(SCRIPTS))
