"""The frozen program: window, engine and command line in one, kills, odd places, portable mode."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from app.base.version import VERSION
from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.processes import descendants, until
from tests.end_to_end.screen import Screen
from tests.end_to_end.window import LONG, ended, replies, rows
from tests.packaging.conftest import NOBODY, files_below, run

QUESTION = "Why is the sky blue?"
ASKED = ("ask", "Say hello.", "--temporary", "--json", "--max-tokens", "12")
LONGEST = "a folder with spaces, umlauts (äöüß) and a long name, "


def answer(done: subprocess.CompletedProcess[str]) -> str:
    """The text of a reply that was asked for as JSON."""
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["text"])


def test_the_command_line_answers_and_tells_what_was_built(folder: Path, tmp_path: Path) -> None:
    program = folder / "inglenook"
    assert run(program, "--version", home=tmp_path).stdout == f"Inglenook {VERSION}\n"
    assert answer(run(program, *ASKED, home=tmp_path))
    report = json.loads(run(program, "doctor", "--json", home=tmp_path).stdout)
    assert report["problems"] == []
    assert [device["kind"] for device in report["devices"]].count("cpu") == 1
    assert {"flavour", "commit", "made_at", "python", "qt", "llama_cpp_flags"} <= report["package"].keys()


def test_the_window_talks_is_killed_and_comes_back(start: Start, folder: Path, tmp_path: Path, screen: Screen) -> None:
    home = tmp_path / "home"
    window = start().ready()
    screen.picture("frozen_first")
    window.send(QUESTION)
    first = ended(home, 1, "done")
    assert first
    assert Path(f"/proc/{window.engine()}/exe").readlink() == folder / "inglenook"
    choose(home)
    screen.picture("frozen_reply")
    window.send(LONG)
    until(lambda: rows(home, "SELECT 1 FROM growth"), "the long reply to grow")
    window.kill()
    window = start().ready()
    until(lambda: [state for state, _ in replies(home)] == ["done", "lost"], "the killed reply to be kept")
    assert replies(home)[1][1]
    screen.picture("frozen_again")
    assert window.quit() == 0


def test_programs_started_from_it_do_not_find_our_libraries(start: Start) -> None:
    """The bootloader sets the search path of libraries; what the program starts has the person's own again."""
    window = start(before=["env", "LD_LIBRARY_PATH=/elsewhere"]).ready()
    window.send(QUESTION)
    engine = Path(f"/proc/{window.engine()}/environ")

    def noted() -> bool:  # by the engine's own bootloader, of what it was given
        return b"LD_LIBRARY_PATH_ORIG=/elsewhere" in engine.read_bytes().split(b"\0")

    until(noted, f"the path that was given: {[one for one in engine.read_bytes().split(bytes(1)) if b'LD_' in one]}")
    assert window.quit() == 0


def test_without_a_display_it_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    done = run(folder / "inglenook", home=tmp_path)
    assert done.returncode == 1
    assert "There is no display" in done.stderr
    assert "inglenook ask" in done.stderr
    assert files_below(tmp_path) == set()


def test_a_portable_copy_leaves_the_home_folder_alone(
    copied: Callable[[Path], Path], tmp_path: Path, screen: Screen, start: Start
) -> None:
    program = copied(tmp_path / "stick")
    (program.parent / "portable").touch()
    home = tmp_path / "person"
    home.mkdir()
    assert answer(run(program, *ASKED, home=home))
    assert files_below(home) == set()
    assert (program.parent / "data" / "inglenook.db").is_file()
    # The window, with every file that is opened for writing noted by the system itself.
    trace = tmp_path / "trace"
    choose(program.parent / "data")
    watch = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=openat,open,creat,mkdir,mkdirat,rename,renameat2"]
    clean = ["env", "-u", "INGLENOOK_HOME", *(f"-u{name}" for name in os.environ if name.startswith("XDG_"))]
    watched = [*watch, *clean, f"HOME={home}"]
    window = start(at=program.parent / "data", before=watched, program=[str(program)], portable=True)
    window.pid = window.until(lambda: descendants(window.pid), "the program below strace")[0]
    window.ready()
    screen.picture("frozen_portable")
    window.send(QUESTION)
    until(lambda: [state for state, _ in replies(program.parent / "data")] == ["done"], "a reply")
    window.keys("ctrl+q")
    window.exit_code()
    assert files_below(home) == set()
    written = [
        line
        for line in trace.read_text(errors="replace").splitlines()
        if f'"{home}' in line and any(word in line for word in ("O_WRONLY", "O_RDWR", "O_CREAT", "mkdir", "rename"))
    ]
    assert written == []


def test_spaces_umlauts_and_two_hundred_characters(copied: Callable[[Path], Path], tmp_path: Path) -> None:
    name = (LONGEST * 4)[:180].strip()
    program = copied(tmp_path / name / "pro gräm")
    assert len(str(program.parent)) > 200
    home = tmp_path / "hö me"
    home.mkdir()
    assert answer(run(program, *ASKED, home=home))
    report = json.loads(run(program, "doctor", "--json", home=home).stdout)
    assert report["problems"] == []
    assert report["data_dir"].startswith(str(home))


def test_a_read_only_installation_of_another_account(copied: Callable[[Path], Path], public: Path) -> None:
    program = copied(public / "installed")
    home = public / "home"
    home.mkdir()
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    before = files_below(program.parent)
    assert answer(run(program, *ASKED, home=home, user=NOBODY))
    assert files_below(program.parent) == before


def test_without_a_home_folder_it_says_so(copied: Callable[[Path], Path], public: Path) -> None:
    program = copied(public / "installed")
    done = run(program, *ASKED, home=Path("/proc/nowhere"), user=NOBODY)
    assert answer(done)  # what is kept nowhere can be answered all the same
    assert done.stderr.startswith("inglenook: ")
    assert len(done.stderr.splitlines()) == 1
    (public / "data").mkdir()
    if os.geteuid() == 0:
        os.chown(public / "data", NOBODY, NOBODY)
    assert answer(run(program, "--data-dir", str(public / "data"), *ASKED, home=None, user=NOBODY))


def test_a_processor_without_avx2(copied: Callable[[Path], Path], tmp_path: Path) -> None:
    """The libraries for newer processors are away, so that ggml takes what an old one would get."""
    program = copied(tmp_path / "old")
    libraries = program.parent / "_internal" / "llama_cpp" / "lib"
    plainest = libraries / "libggml-cpu-x64.so"
    variants = sorted(libraries.glob("libggml-cpu-*.so"))
    assert plainest in variants
    assert len(variants) > 5
    for library in variants:
        if library != plainest:
            library.unlink()
    assert answer(run(program, *ASKED, home=tmp_path))
    report = json.loads(run(program, "doctor", "--json", home=tmp_path).stdout)
    assert [device["kind"] for device in report["devices"]] == ["cpu"]


def test_under_wayland(folder: Path, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    marks = tmp_path / "marks"
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "WAYLAND_DISPLAY": "inglenook-test"}
    environment.pop("DISPLAY", None)
    words = ["weston", "--backend=headless-backend.so", "--socket=inglenook-test", "--idle-time=0"]
    compositor = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: (runtime / "inglenook-test").exists(), "the compositor")
        environment |= {"QT_QPA_PLATFORM": "wayland", "INGLENOOK_MARKS": str(marks)}
        window = subprocess.Popen([str(folder / "inglenook"), "--data-dir", str(tmp_path / "data")], env=environment)
        try:
            until(lambda: marks.exists() and "ready" in marks.read_text(), "the window")
            assert "libqwayland" in Path(f"/proc/{window.pid}/maps").read_text()
        finally:
            window.terminate()
            assert window.wait() == 0
    finally:
        compositor.terminate()
        compositor.wait()


def test_removing_all_data_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    program = folder / "inglenook"
    assert run(program, "chats", "list", home=tmp_path).returncode == 0
    assert files_below(tmp_path)
    assert run(program, "remove-data", "--yes", "--models", home=tmp_path).returncode == 0
    assert not list(tmp_path.rglob("*inglenook*"))


def test_the_papers_are_inside(folder: Path) -> None:
    text = (folder / "THIRD-PARTY.txt").read_text()
    for words in ("GNU LESSER GENERAL PUBLIC LICENSE", "ggml authors", "SmolLM2", "ZETETIC", "Apache License"):
        assert words in text
    assert (folder / "LICENSE.txt").is_file()
    qt = sorted((folder / "_internal" / "PySide6" / "Qt" / "lib").glob("libQt6*.so.6"))
    assert len(qt) > 5  # separate libraries, which may be replaced
