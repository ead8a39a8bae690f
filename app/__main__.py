"""The doors: engine worker, steps of the database, command line, window, chosen before anything heavy is imported."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

MIGRATE = "--migrate"
NO_DISPLAY = (
    'There is no display to open the window on. In a terminal, ask like this: {program} ask "Why is the sky blue?"'
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the arguments (without the program's name) ask for; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--engine-worker"]:
        from app.engine.worker.main import main as worker

        return worker(given[1:])
    if given[:1] == [MIGRATE]:
        from app.store.apart import serve

        return serve()
    asked, data_dir, offline = _window_asked(given)
    if asked:
        return _window(given, data_dir, offline)
    from app.bootstrap import build
    from app.cli.main import run

    return run(given, build)


def _window_asked(given: list[str]) -> tuple[bool, str | None, bool]:
    """Whether only the window's own options were given; the value of --data-dir; whether --offline was given."""
    data_dir: str | None = None
    offline = False
    rest = list(given)
    while rest:
        word = rest.pop(0)
        if word == "--data-dir" and rest:
            data_dir = rest.pop(0)
        elif word.startswith("--data-dir="):
            data_dir = word.partition("=")[2]
        elif word == "--offline":
            offline = True
        else:
            return False, None, False
    return True, data_dir or None, offline


def _window(given: list[str], data_dir: str | None, offline: bool) -> int:
    if not _has_display():
        print(NO_DISPLAY.format(program=_program()), file=sys.stderr)
        return 1
    gc.disable()  # nothing of a start is garbage; the window switches it on again after the first frame
    from app.base.doors import door
    from app.base.log import start_log
    from app.base.paths import find_places
    from app.bootstrap import build
    from app.ui.application import run

    places = find_places(data_dir)
    start_log(places.logs)
    return run(build(places, offline=offline, migrate_command=door(MIGRATE)), given)


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
