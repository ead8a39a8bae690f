"""The frozen program: window, engine and command line in one, kills, odd places, portable mode."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base.version import VERSION
from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.screen import Screen
from tests.end_to_end.window import LONG, ended, replies, rows
from tests.packaging.conftest import NOBODY, files_below, run
from tests.packaging.emulation import emulated
from tests.support import tiny_models
from tests.support.processes import descendants, until

QUESTION = "Why is the sky blue?"
ASKED = ("ask", "Say hello.", "--temporary", "--json", "--max-tokens", "12")
SLOW_S = 400.0
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


def test_files_are_opened_by_the_first_window(start: Start, tmp_path: Path, screen: Screen) -> None:
    home = tmp_path / "home"
    first = tiny_models.dense(tmp_path / "a first model.gguf")
    second = tiny_models.dense(tmp_path / "a secönd model.gguf", seed=2)
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    window = start(str(first)).ready()
    before = until(lambda: chosen(home), "the file to be chosen")
    window.send(QUESTION)
    ended(home, 1, "done")
    assert start(str(second)).exit_code() == 0
    until(lambda: chosen(home) != before, "the other file to be chosen")
    assert start(str(tmp_path / "broken.gguf")).exit_code() == 0
    kept = json.loads((home / "settings.json").read_text())
    assert kept["models"]["files"] == [str(first), str(second)]
    screen.picture("frozen_opened")
    assert window.quit() == 0


def test_without_the_starter_model_the_window_asks_for_one(
    copied: Callable[[Path], Path], start: Start, starter_model: Path, tmp_path: Path, screen: Screen
) -> None:
    """What the lite flavour is."""
    program, home = copied(tmp_path / "lite"), tmp_path / "home"
    shutil.rmtree(program.parent / "_internal" / "resources" / "models", ignore_errors=True)
    done = run(program, *ASKED, home=tmp_path / "other")
    assert done.returncode == 1
    assert done.stderr.startswith("inglenook: There is no model on this computer yet.")
    window = start(program=[str(program)]).ready()
    screen.picture("frozen_lite")
    window.send(QUESTION)
    assert start(str(starter_model), program=[str(program)]).exit_code() == 0
    until(lambda: chosen(home), "the file to be chosen")
    screen.picture("frozen_lite_opened")
    assert replies(home) == []
    window.keys("ctrl+a")
    window.send(QUESTION)
    assert ended(home, 1, "done")
    assert window.quit() == 0


def test_graphics_backends_without_their_drivers_are_passed_over(
    copied: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Libraries like the backends', in need of one that is not there."""
    program = copied(tmp_path / "graphics")
    libraries = program.parent / "_internal" / "llama_cpp" / "lib"
    data = (libraries / "libggml-rpc.so").read_bytes()
    assert data.count(b"libggml-base.so.0\0") == 1
    for backend in ("cuda", "hip", "vulkan"):
        made = libraries / f"libggml-{backend}.so"
        made.write_bytes(data.replace(b"libggml-base.so.0\0", b"libno-driver.so.1\0"))
        linked = subprocess.run(["ldd", made], capture_output=True, text=True, check=True).stdout
        assert "libno-driver.so.1 => not found" in linked
    assert answer(run(program, *ASKED, home=tmp_path))
    report = json.loads(run(program, "doctor", "--json", home=tmp_path).stdout)
    assert [device["kind"] for device in report["devices"]] == ["cpu"]
    assert report["problems"] == []


@pytest.mark.timeout(600)
def test_an_emulated_processor_without_avx(copied: Callable[[Path], Path], tmp_path: Path) -> None:
    """Nehalem, of 2008, has SSE 4.2. Slow: a token takes seconds."""
    program = copied(tmp_path / "old")
    used: set[str] = set()
    words = [program, "--data-dir", tmp_path / "data", "ask", "hi", "--temporary", "--json", "--max-tokens", "2"]
    with emulated(program, "Nehalem"), subprocess.Popen(words, stdout=subprocess.PIPE) as asking:

        def over() -> bool:
            nonlocal used
            used = variants(asking.pid) or used  # the last: while it chooses, it looks at all of them
            return asking.poll() is not None

        until(over, "the answer of a slow processor", SLOW_S)
        written, _ = asking.communicate()
    assert used == {"libggml-cpu-sse42.so"}
    assert json.loads(written)["completion_tokens"] == 2


def test_the_plainest_processor(copied: Callable[[Path], Path], tmp_path: Path) -> None:
    """The libraries for newer processors are away, so that ggml takes what the oldest would get."""
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


def variants(pid: int) -> set[str]:
    """The libraries for a processor that a process of this family has in use."""
    found: set[str] = set()
    for one in descendants(pid):
        with contextlib.suppress(OSError):
            found |= set(re.findall(r"libggml-cpu-\w+\.so", Path(f"/proc/{one}/maps").read_text()))
    return found


def chosen(home: Path) -> str:
    """The id of the model used last, '' before the first."""
    kept = json.loads((home / "settings.json").read_text())
    return str(kept.get("general", {}).get("last_model_id", ""))


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
