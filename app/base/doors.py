"""The command lines that start another process of this very program. Nothing is started here."""

from __future__ import annotations

import sys
from pathlib import Path

# The working folder must not be searched for modules: a folder that holds something called `app` would be run. So the
# interpreter starts without it (-P), and the place of this very package is appended, behind the standard library.
_BOOT = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def door(*options: str) -> list[str]:
    """This program itself, which branches at the first option before anything heavy is imported."""
    if getattr(sys, "frozen", False):
        return [sys.executable, *options]
    return module("app", *options)


def module(name: str, *arguments: str) -> list[str]:
    """A module of ours, run as a program by the interpreter that runs us."""
    root = Path(__file__).resolve().parents[2]
    return [sys.executable, "-P", "-c", _BOOT, str(root), name, *arguments]
