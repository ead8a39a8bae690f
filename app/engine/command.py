"""The command lines of the engine's processes. Nothing is started here."""

from __future__ import annotations

import sys
from pathlib import Path

# The working folder must not be searched for modules: a folder that holds something called `app` would be run. So the
# interpreter starts without it (-P), and the place of this very package is appended, behind the standard library.
_BOOT = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def worker_command() -> list[str]:
    """The real worker: this program itself, which branches before anything heavy is imported."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--engine-worker"]
    return _module("app", "--engine-worker")


def fake_command(script: str = "{}") -> list[str]:
    """The scripted worker (fake.py); `script` is JSON, or the path of a file that holds it."""
    return _module("app.engine.fake", script)


def _module(name: str, *arguments: str) -> list[str]:
    root = Path(__file__).resolve().parents[2]
    return [sys.executable, "-P", "-c", _BOOT, str(root), name, *arguments]
