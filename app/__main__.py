"""The doors: engine worker, steps of the database, command line, window, chosen before anything heavy is imported."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

MIGRATE = "--migrate"
INTERRUPTED = 130
NO_DISPLAY = (
    'There is no display to open the window on. In a terminal, ask like this: {program} ask "Why is the sky blue?"'
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the arguments (without the program's name) ask for; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_what_is_closed()
    try:
        return _enter(given)
    except KeyboardInterrupt:  # before whatever was asked for could listen to it
        return INTERRUPTED


def _enter(given: list[str]) -> int:
    if given[:1] == ["--engine-worker"]:
        from app.engine.worker.main import main as worker

        return worker(given[1:])
    if given[:1] == [MIGRATE]:
        from app.store.migrator import main as migrator

        return migrator()
    if (asked := _window_asked(given)) is not None:
        return _window(asked)
    from app.bootstrap import build
    from app.cli.main import run

    return run(given, build)


def _open_what_is_closed() -> None:
    """Standard streams that were closed by whoever started this lead nowhere, so that no file takes their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", errors="replace"))


class _Asked(NamedTuple):
    """How the window is asked for; `file` is a model to open, '' for none."""

    data_dir: str | None = None
    offline: bool = False
    file: str = ""


def _window_asked(given: list[str]) -> _Asked | None:
    """What is asked of the window: nothing but its own options and at most one file. None: it is not asked for."""
    asked = _Asked()
    rest = list(given)
    while rest:
        word = rest.pop(0)
        if word == "--data-dir" and rest:
            asked = asked._replace(data_dir=rest.pop(0))
        elif word.startswith("--data-dir="):
            asked = asked._replace(data_dir=word.partition("=")[2])
        elif word == "--offline":
            asked = asked._replace(offline=True)
        elif _is_file(word) and not asked.file:
            asked = asked._replace(file=word)
        else:
            return None
    return asked


def _is_file(word: str) -> bool:
    """Whether this names a file, there or not, rather than a command: those have neither an ending nor a separator."""
    separated = any(mark in word for mark in (os.sep, os.altsep) if mark)
    return not word.startswith("-") and (separated or word.lower().endswith(".gguf"))


def _window(asked: _Asked) -> int:
    if not _has_display():
        print(NO_DISPLAY.format(program=_program()), file=sys.stderr)
        return 1
    gc.disable()  # nothing of a start is garbage; the window switches it on again after the first frame
    from pathlib import Path

    from app.base.doors import door
    from app.base.log import start_log
    from app.base.paths import find_places
    from app.bootstrap import build
    from app.ui.application import run

    places = find_places(asked.data_dir)
    start_log(places.logs)
    application = build(places, offline=asked.offline, migrate_command=door(MIGRATE))
    return run(application, Path(asked.file).absolute() if asked.file else None)


def _program() -> str:
    """How the command is called from here: that of a checkout is not on the search path."""
    import shlex
    import shutil
    from pathlib import Path

    name = "inglenook.exe" if os.name == "nt" else "inglenook"
    command = Path(sys.executable).with_name(name)
    if not command.exists():
        return f"{shlex.quote(sys.executable)} -m app"
    found = shutil.which(name)
    if found is not None and command.samefile(found):
        return "inglenook"
    return shlex.quote(os.path.relpath(command))


def _has_display() -> bool:
    """Whether a window can be shown at all. Only the systems with a separate display server can lack one."""
    if not sys.platform.startswith(("linux", "freebsd")):
        return True
    chosen = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0].partition(";")[0]
    if chosen and chosen not in ("xcb", "wayland", "wayland-egl"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    sys.exit(main())
