"""Which frozen folder is tested, copies of it in odd places, and its windows.

Nothing is collected unless INGLENOOK_FROZEN names the folder, so that the other tests need no package.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.conftest import screen as screen  # a fixture here too
from tests.end_to_end.screen import Screen
from tests.end_to_end.window import Window

VARIABLE = "INGLENOOK_FROZEN"
GUARD_S = 180.0
NOBODY = 65534
HIDDEN = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "PYTHONPATH", "INGLENOOK_HOME", "PYTHONDONTWRITEBYTECODE")

collect_ignore_glob = [] if os.environ.get(VARIABLE) else ["test_*.py"]


@pytest.fixture(scope="session")
def folder() -> Path:
    """The frozen folder."""
    found = Path(os.environ[VARIABLE]).resolve()
    assert (found / "inglenook").is_file(), f"{found} is no frozen folder"
    return found


@pytest.fixture
def copied(folder: Path) -> Iterator[Callable[[Path], Path]]:
    """Makes a copy of the folder at a place (hard links where the disk allows); returns its executable."""
    made: list[Path] = []

    def copy(place: Path) -> Path:
        made.append(place)
        shutil.copytree(folder, place, symlinks=True, copy_function=_link)
        return place / "inglenook"

    yield copy
    for place in made:
        shutil.rmtree(place, ignore_errors=True)  # its folder may be gone by now


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every account may enter."""
    with tempfile.TemporaryDirectory(prefix="inglenook-package-") as place:
        Path(place).chmod(stat.S_IRWXU | stat.S_IXGRP | stat.S_IRGRP | stat.S_IXOTH | stat.S_IROTH)
        yield Path(place)


@pytest.fixture
def start(screen: Screen, folder: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts windows of the frozen program; at the end none is left."""
    windows: list[Window] = []
    home = tmp_path / "home"
    choose(home, max_tokens=40)

    def begin(*arguments: str, at: Path = home, **options: Any) -> Window:
        options.setdefault("program", [str(folder / "inglenook")])
        windows.append(Window(screen, at, tmp_path, *arguments, plain=True, **options))
        return windows[-1]

    yield begin
    for window in windows:
        window.end()


def run(
    program: Path, *arguments: str, home: Path | None, user: int | None = None, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs the frozen program to its end, without a display. `home` is the person's home folder; None: there is none.
    With `user` it runs as that account (for root only)."""
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    for name in list(environment):
        if name.startswith("XDG_") or (name == "HOME" and home is None):
            del environment[name]
    if home is not None:
        environment["HOME"] = str(home)
    return subprocess.run(
        [str(program), *arguments],
        env={**environment, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GUARD_S,
        check=False, cwd=cwd or program.parent, user=user if os.geteuid() == 0 else None,
    )  # fmt: skip


def files_below(place: Path) -> set[str]:
    """Everything that lies below, as relative paths."""
    return {path.relative_to(place).as_posix() for path in place.rglob("*")}


def _link(source: str, target: str) -> None:
    with contextlib.suppress(OSError):
        os.link(source, target, follow_symlinks=False)
        return
    shutil.copy2(source, target, follow_symlinks=False)
