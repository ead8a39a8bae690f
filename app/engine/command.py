"""The command lines of the engine's processes. Nothing is started here."""

from __future__ import annotations

from app.base.doors import door, module


def worker_command() -> list[str]:
    """The real worker: this program itself."""
    return door("--engine-worker")


def fake_command(script: str = "{}") -> list[str]:
    """The scripted worker (fake.py); `script` is JSON, or the path of a file that holds it."""
    return module("app.engine.fake", script)
