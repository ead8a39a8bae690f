"""Sets a checkout up: system libraries, virtual environment, llama.cpp build, starter model. Standard library only.

`make run` and `make test` call this first. Each step looks whether its result is already there, so that a second call
does nothing. The llama.cpp build takes minutes and is kept outside the checkout, keyed by everything it depends on.

    python3 packaging/develop.py [--backend cpu|cuda|vulkan|metal|rocm] run|test|bench|package
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from native import BACKENDS, INSTALL, native_wheel, requirement
from starter import starter_model
from steps import CONSTRAINTS, ROOT, Environment, digest, pinned, refuse, run, say

VENV = Environment(ROOT / ".venv")
STAMP = VENV.folder / "inglenook-setup.json"

# The index of prebuilt wheels that llama-cpp-python's own README names for each backend.
PREBUILT = {
    "cuda": os.environ.get("INGLENOOK_CUDA", "cu125"),
    "vulkan": "vulkan",
    "metal": "metal",
    "rocm": "rocm72",
}
PREBUILT_ROOT = "https://abetlen.github.io/llama-cpp-python/whl/"
# A prebuilt wheel installs where the libraries it was built against (CUDA's, of one version) are missing too.
LOADS = """
import ctypes, importlib.util, pathlib
folder = pathlib.Path(importlib.util.find_spec("llama_cpp").origin).parent / "lib"
try:
    ctypes.CDLL(str(next(folder.glob("libllama.*"))))
except OSError as error:
    raise SystemExit(f"inglenook: the prebuilt llama.cpp does not run here: {error}")
"""

# What Qt's wheels expect of a Linux system, and the Debian package that has it.
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
FONT_PACKAGE = "fonts-dejavu-core"
TEST_PROGRAMS = {"Xvfb": "xvfb", "xdotool": "xdotool", "strace": "strace"}
PACKAGE_PROGRAMS = {
    "appstreamcli": "appstream",
    "debootstrap": "debootstrap",
    "desktop-file-validate": "desktop-file-utils",
    "lintian": "lintian",
    "qemu-x86_64": "qemu-user",
    "weston": "weston",
}


def main() -> int:
    """Runs the steps for one purpose; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--backend", choices=sorted(BACKENDS), default="cpu")
    parser.add_argument("purpose", choices=["run", "test", "bench", "package"])
    wanted = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before the requirement can be enforced
        return refuse(f"Inglenook needs Python 3.11 or newer; this is {platform.python_version()}.")
    try:
        if not system_libraries(wanted.purpose):
            return 1
        environment(wanted.purpose, wanted.backend)
        starter_model(VENV)
    except subprocess.CalledProcessError as error:
        return refuse(f"Set-up stopped: '{' '.join(map(str, error.cmd))}' ended with {error.returncode}.")
    except OSError as error:
        return refuse(f"Set-up stopped: {error}.")
    return 0


def system_libraries(purpose: str) -> bool:
    """Qt's libraries on Linux: installed with apt when root, else the line to run is printed and False returned. To run
    where nothing can be shown, none are needed: questions are asked in the terminal."""
    if not sys.platform.startswith("linux") or (purpose == "run" and not has_a_display()):
        return True
    missing = [package for library, package in QT_LIBRARIES.items() if not loads(library)]
    if purpose != "run":
        programs = {**TEST_PROGRAMS, **(PACKAGE_PROGRAMS if purpose == "package" else {})}
        missing += [package for program, package in programs.items() if not shutil.which(program)]
    if not has_a_font():
        missing.append(FONT_PACKAGE)
    if not missing:
        return True
    line = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    if not shutil.which("apt-get"):
        refuse(f"the window needs these Debian packages, or what your system calls them: {' '.join(missing)}")
        return False
    if os.geteuid() != 0:
        refuse(f"the window needs some system libraries. Please run once:\n  sudo {line}")
        return False
    say(f"installing system packages: {' '.join(missing)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-q", env=quiet)
    run(*line.split(), env=quiet)
    return True


def has_a_display() -> bool:
    """Whether Linux has something to show a window on."""
    return any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")))


def has_a_font() -> bool:
    """Whether any outline font is installed where a Linux system keeps them."""
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts"]
    return any(folder.is_dir() and any(folder.rglob("*.[to]tf")) for folder in folders)


def loads(library: str) -> bool:
    """Whether the dynamic loader finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def environment(purpose: str, backend: str) -> None:
    """The virtual environment with everything pinned, and the application in it as an editable install."""
    purpose = "test" if purpose == "package" else purpose  # what packages are tested with
    extras = {"run": "", "test": "[dev]", "bench": "[dev,bench]"}[purpose]
    scripts = [Path(__file__).with_name(name) for name in ("develop.py", "native.py", "steps.py")]
    inputs = digest([ROOT / "pyproject.toml", CONSTRAINTS, *scripts])
    state = stamp() if VENV.python.exists() else {}
    enough = {"run": ("run", "test", "bench"), "test": ("test", "bench"), "bench": ("bench",)}[purpose]
    if state.get("backend") == backend and any(state.get(one) == inputs for one in enough):
        return
    if not VENV.python.exists():
        say("creating .venv")
        VENV.make()
    version = pinned("llama-cpp-python")
    if state.get("backend") != backend or state.get("llama") != version:
        llama_cpp(backend)
    say("installing Python packages")
    VENV.pip("install", "--constraint", CONSTRAINTS, "--editable", f".{extras}")
    if state.get("backend") != backend:
        state = {}
    STAMP.write_text(json.dumps({**state, "backend": backend, "llama": version, purpose: inputs}))


def stamp() -> dict[str, str]:
    """What the last set-up noted; nothing where there was none, or its note was cut short."""
    try:
        noted = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def llama_cpp(backend: str) -> None:
    """Installs llama-cpp-python for a backend: a prebuilt wheel where one is reachable, else from source."""
    if backend in PREBUILT:
        say(f"looking for a prebuilt llama.cpp with {backend}")
        try:
            only = ("--quiet", "--quiet", "--retries", "1", "--only-binary", ":all:")  # that there is none is no error
            VENV.pip(*INSTALL, *only, "--index-url", PREBUILT_ROOT + PREBUILT[backend], requirement())
            if os.name != "nt":  # there, the package itself says where CUDA's libraries are
                run(VENV.python, "-c", LOADS)
            return
        except subprocess.CalledProcessError:
            say(f"none that runs here is reachable; building llama.cpp with {backend} from source")
    VENV.pip(*INSTALL, native_wheel(VENV, backend))


if __name__ == "__main__":
    raise SystemExit(main())
