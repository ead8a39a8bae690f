"""The packages in a Debian that has nothing: no Python, no compiler, no development files. For root, on Linux.

    python -m tests.packaging.clean_root DEB TARBALL

Makes the root with debootstrap once (build/package/root), copies it, installs the package with apt, starts the window
under Xvfb, talks with the starter model, kills it, starts it again, opens a model file as a file manager does, removes
the package and lists what stayed. Pictures go to build/package/pictures. Prints what was seen; ends with 1 at the first
thing that is not as it should be.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.end_to_end.screen import Screen
from tests.end_to_end.window import ended, replies
from tests.support import tiny_models
from tests.support.processes import until

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "package"
SUITE = "bookworm"
PERSON = "person"
QUESTION = "Why is the sky blue?"
UNWANTED = ("python3", "gcc", "cc", "ld", "pkg-config")


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    package, archive = (Path(one).resolve() for one in arguments)
    with root() as place:
        for program in UNWANTED:
            assert not which(place, program), f"the clean root has {program}"
        before = everything(place)
        shutil.copy(package, place / "srv" / package.name)
        inside(place, "apt-get", "install", "-y", "--no-install-recommends", f"/srv/{package.name}")
        (place / "srv" / package.name).unlink()
        inside(place, "apt-get", "install", "-y", "--no-install-recommends", "fonts-dejavu-core")
        assert not which(place, "python3")
        tell(f"installed; {inside(place, 'inglenook', '--version', user=True).strip()}")
        use(place, ["/usr/bin/inglenook"], "deb")
        inside(place, "apt-get", "install", "-y", "--no-install-recommends", *DESKTOP)
        open_file(place)
        inside(place, "apt-get", "purge", "-y", "inglenook")
        inside(place, "apt-get", "autoremove", "-y", "--purge")
        left = sorted(path for path in everything(place) - before if "inglenook" in path)
        tell("left after removal: " + (", ".join(left) or "nothing"))
        assert all(path.startswith(f"home/{PERSON}/") for path in left), left
        with tarfile.open(archive) as tar:
            tar.extractall(place / "opt", filter="tar")
        (unpacked,) = (place / "opt").glob("inglenook-*")
        inside(place, "apt-get", "install", "-y", "--no-install-recommends", *TARBALL_NEEDS)
        use(place, [f"/opt/{unpacked.name}/inglenook"], "tarball")
    return 0


# What a desktop keeps its kinds of files with.
DESKTOP = ("desktop-file-utils", "libglib2.0-bin", "shared-mime-info")

# What the tarball takes from the system: what every desktop has.
TARBALL_NEEDS = (
    "libegl1", "libgl1", "libdbus-1-3", "libfontconfig1", "libglib2.0-0", "libx11-6", "libx11-xcb1",
    "fonts-dejavu-core",
)  # fmt: skip


def use(place: Path, program: list[str], name: str) -> None:
    """A person's first minutes: start, ask, kill, start again."""
    data = place / "home" / PERSON / name
    data.mkdir()
    settings = {"generation": {"temperature": 0.0, "max_tokens": 40}}
    (data / "settings.json").write_text(json.dumps(settings))
    inside(place, "chown", "-R", f"{PERSON}:{PERSON}", f"/home/{PERSON}/{name}")
    screen = Screen()
    shutil.copytree("/tmp/.X11-unix", place / "tmp" / ".X11-unix", dirs_exist_ok=True, copy_function=_socket)
    try:
        window = Window(place, screen, program, data)
        window.ready()
        picture(screen, f"{name}-first")
        screen.do("windowfocus", "--sync", window.id)
        screen.do("type", "--delay", "4", QUESTION)
        screen.do("key", "--clearmodifiers", "Return")
        first = ended(data, 1, "done")
        tell(f"{name}: the window answered: {first[:60]!r}")
        picture(screen, f"{name}-reply")
        window.kill()
        window = Window(place, screen, program, data)
        window.ready()
        assert [state for state, _ in replies(data)] == ["done"]
        picture(screen, f"{name}-again")
        screen.do("windowfocus", "--sync", window.id)
        screen.do("key", "--clearmodifiers", "ctrl+q")
        assert window.process.wait(60) == 0
        tell(f"{name}: killed, started again, quit")
    finally:
        screen.close()
    said = inside(place, *program, "--data-dir", f"/home/{PERSON}/{name}", "doctor", user=True)
    assert "Everything is in order." in said, said
    listed = inside(place, *program, "--data-dir", f"/home/{PERSON}/{name}", "remove-data", "--yes", user=True)
    tell(f"{name}: {' '.join(listed.split())}")


def open_file(place: Path) -> None:
    """A model file in a person's folder, opened by what the desktop knows of such files."""
    data = place / "home" / PERSON / "opened"
    data.mkdir()
    tiny_models.dense(data / "a model.gguf")
    inside(place, "chown", "-R", f"{PERSON}:{PERSON}", f"/home/{PERSON}/opened")
    file = f"/home/{PERSON}/opened/a model.gguf"
    kind = inside(place, "gio", "info", "-a", "standard::content-type", file, user=True)
    assert "application/x-gguf" in kind, kind
    known = inside(place, "gio", "mime", "application/x-gguf", user=True)
    assert "inglenook.desktop" in known.partition("\n")[0], known
    screen = Screen()
    shutil.copytree("/tmp/.X11-unix", place / "tmp" / ".X11-unix", dirs_exist_ok=True, copy_function=_socket)
    try:
        home = f"/home/{PERSON}/opened"
        shown = [f"DISPLAY={screen.display}", f"INGLENOOK_MARKS={home}/marks", f"INGLENOOK_HOME={home}/data"]
        subprocess.run([*entering(place, user=True), "env", *shown, "gio", "open", file], check=True)
        pid = until(lambda: windows_in(place), "the window to be started")[0]
        settings = data / "data" / "settings.json"
        until(lambda: settings.exists() and "last_model_id" in settings.read_text(), "the file to be chosen")
        screen.do("windowfocus", "--sync", until(lambda: screen.windows_of(pid), "the window on the screen")[0])
        picture(screen, "deb-opened")
        screen.do("key", "--clearmodifiers", "ctrl+q")
        until(lambda: not windows_in(place), "the window to end")
    finally:
        for pid in windows_in(place):
            os.kill(pid, signal.SIGKILL)
        screen.close()
    tell(f"a model file is {kind.split()[-1]} and was opened by {known.splitlines()[0].rpartition(' ')[2]}")


def windows_in(place: Path) -> list[int]:
    """The processes in the root that are our program, but for its engines."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ours = (process / "exe").readlink() == place / "usr/lib/inglenook/inglenook"
            if ours and b"--engine-worker" not in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return sorted(found)


class Window:
    """The program in the root, on a screen outside of it."""

    def __init__(self, place: Path, screen: Screen, program: list[str], data: Path) -> None:
        self._screen, self._marks = screen, data / "marks"
        self._marks.unlink(missing_ok=True)
        within = f"/{data.relative_to(place)}"
        shown = [f"DISPLAY={screen.display}", f"INGLENOOK_MARKS={within}/marks"]
        command = [*entering(place, user=True), "env", *shown, *program, "--data-dir", within]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.id = ""

    def ready(self) -> None:
        """Waits until it is there."""

        def marked() -> bool:
            assert self.process.poll() is None, f"the window ended with {self.process.returncode}"
            return self._marks.exists() and "ready" in self._marks.read_text()

        until(marked, "the window to be ready")
        self.id = until(lambda: self._screen.windows_of(self.process.pid), "the window on the screen")[0]

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def root() -> Iterator[Path]:
    """A fresh copy of the clean root, with /proc and /dev; gone at the end."""
    pristine, place = BUILD / "root", BUILD / "root-in-use"
    if not (pristine / "etc" / "debian_version").exists():
        subprocess.run(["debootstrap", "--variant=minbase", SUITE, pristine, mirror()], check=True)
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run(["cp", "-a", pristine, place], check=True)
    for name in ("/etc/resolv.conf", "/etc/hosts"):
        shutil.copy(name, place / name.lstrip("/"))
    for source in (*Path("/etc/apt").glob("sources.list*"), *Path("/etc/apt/apt.conf.d").glob("*")):
        target = place / str(source).lstrip("/")
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif "docker" not in source.name:
            shutil.copy(source, target)
    mounts = [("proc", "proc", "proc"), ("tmpfs", "dev/shm", "tmpfs")]
    for node in ("null", "zero", "random", "urandom", "tty"):
        (place / "dev" / node).touch()
        mounts.append((f"/dev/{node}", f"dev/{node}", "bind"))
    (place / "dev" / "shm").mkdir(exist_ok=True)
    done: list[Path] = []
    try:
        for what, where, kind in mounts:
            words = ["--bind", what] if kind == "bind" else ["-t", kind, what]
            subprocess.run(["mount", *words, place / where], check=True)
            done.append(place / where)
        inside(place, "apt-get", "update", "-q")
        inside(place, "useradd", "--create-home", PERSON)
        yield place
    finally:
        for where in reversed(done):
            subprocess.run(["umount", "--lazy", where], check=False)
        shutil.rmtree(place, ignore_errors=True)


def entering(place: Path, *, user: bool = False) -> list[str]:
    """The words that run something in the root, with nothing of this environment but what apt needs."""
    kept = [f"{name}={value}" for name, value in os.environ.items() if name.lower().endswith("_proxy")]
    home = f"/home/{PERSON}" if user else "/root"
    clean = ["env", "-i", f"HOME={home}", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", *kept]
    return [*clean, "chroot", *(["--userspec", f"{PERSON}:{PERSON}"] if user else []), str(place)]


def inside(place: Path, *words: str, user: bool = False) -> str:
    """Runs something in the root to its end; returns what it said."""
    done = subprocess.run([*entering(place, user=user), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def which(place: Path, program: str) -> bool:
    """Whether the root has a program."""
    return any((place / folder / program).exists() for folder in ("usr/bin", "bin", "usr/local/bin"))


def everything(place: Path) -> set[str]:
    """Every path in the root, but for what is mounted."""
    found = set()
    for above, folders, files in os.walk(place):
        folders[:] = [name for name in folders if Path(above, name) not in (place / "proc", place / "dev")]
        found |= {str(Path(above, name).relative_to(place)) for name in (*folders, *files)}
    return found


def mirror() -> str:
    """Where this system gets its own packages."""
    for source in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        with contextlib.suppress(OSError):
            if found := re.search(r"(?:^deb .*?|^URIs: *)(https?://\S+/debian)/?\s", source.read_text(), re.MULTILINE):
                return found[1]
    raise SystemExit("this system names no mirror")


def picture(screen: Screen, name: str) -> None:
    """Keeps what the screen shows."""
    folder = BUILD / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    screen.picture(name).save(str(folder / f"{name}.png"))


def tell(line: str) -> None:
    """One line of what was seen."""
    print(f"clean root: {line}", flush=True)


def _socket(source: str, target: str) -> None:
    """X servers' sockets are reached by their abstract names or through a hard link."""
    with contextlib.suppress(OSError):
        os.link(source, target)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
