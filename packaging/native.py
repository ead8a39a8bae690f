"""llama.cpp as a wheel of llama-cpp-python, built from source once per set of flags. Standard library only.

Two kinds are built. 'Native' is for the machine that makes it, for development. 'Portable' is for packages: the code
for a processor is a library chosen when the program starts, so that one build is right on every one of them, and a
graphics backend is one more library that is passed over where its driver is missing.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from steps import Environment, build_cache, pinned, say

# Build flags of each backend.
BACKENDS = {
    "cpu": "",
    "cuda": "-DGGML_CUDA=ON",
    "vulkan": "-DGGML_VULKAN=ON",
    "metal": "-DGGML_METAL=ON",
    "rocm": "-DGGML_HIP=ON",
}
RPC = "-DGGML_RPC=ON"
PORTABLE = "-DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON -DGGML_NATIVE=OFF"
# Apple's processors differ less than a variant costs, and Metal is part of the system.
PORTABLE_APPLE = "-DGGML_NATIVE=OFF -DGGML_METAL_EMBED_LIBRARY=ON"
# One computer's cards need no library for talking with those of others.
PORTABLE_MORE = {"cuda": "-DGGML_CUDA_NCCL=OFF"}
# The code for processors with AMX, which laptops have not. Seen on a virtual machine that has them: the first matrix
# product ends the process with an illegal instruction (tileloadd); the code for the next best processor runs there.
LEFT_OUT = "ggml-cpu-sapphirerapids"
INSTALL = ("install", "--force-reinstall", "--no-deps")


def requirement() -> str:
    """llama-cpp-python at its pinned version, as pip wants it."""
    return f"llama-cpp-python=={pinned('llama-cpp-python')}"


def native_wheel(environment: Environment, backend: str) -> Path:
    """The wheel for this very machine, built if it is not in the cache. Raises CalledProcessError, OSError."""
    machine = f"{platform.machine()} {sys.version_info[:2]} {processor()}{card(backend)}"
    return _wheel(environment, f"{RPC} {BACKENDS[backend]}".strip(), machine)


def portable_wheel(environment: Environment, backend: str) -> Path:
    """The wheel for every machine of this kind, built if it is not in the cache. Raises CalledProcessError, OSError."""
    machine = f"{sys.platform} {platform.machine()} {sys.version_info[:2]}"
    return _wheel(environment, portable_flags(backend), machine)


def portable_flags(backend: str) -> str:
    """The build flags of packages."""
    flags = PORTABLE_APPLE if sys.platform == "darwin" else PORTABLE
    return " ".join(filter(None, [flags, RPC, BACKENDS[backend], PORTABLE_MORE.get(backend)]))


def lay_out(wheel: Path, folder: Path) -> list[Path]:
    """Takes the libraries that the application loads out of a wheel, each once, into an empty `folder`.

    A wheel has no links, so it holds each library under up to three names as three files; what is kept is the name
    that loads it: the bindings open libllama by its bare name, libraries ask for each other by name and major version.
    What ggml opens by itself lies elsewhere in the wheel, and is found beside libllama only.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            place = folder / name.rpartition("/")[2]
            if not is_loaded(name) or place.exists():
                continue
            with archive.open(name) as source, place.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            place.chmod(0o755)
    return sorted(folder.iterdir())


def is_loaded(name: str) -> bool:
    """Whether a file of a wheel is one that is loaded by this name."""
    above, _, file = name.rpartition("/")
    if file in ("libllama.so", "libllama.dylib", "llama.dll"):
        return above == "llama_cpp/lib"
    if re.fullmatch(r"(lib)?ggml-[\w-]+\.(so|dll)", file) and not above.endswith(("lib", "lib64")):
        return LEFT_OUT not in file  # a backend
    if above != "llama_cpp/lib":
        return False
    return re.fullmatch(r"libggml[\w-]*(\.so\.\d+|\.\d+\.dylib)|ggml[\w-]*\.dll", file) is not None


def _wheel(environment: Environment, flags: str, machine: str) -> Path:
    cmake_args = f"{os.environ.get('CMAKE_ARGS', '')} {flags}".strip()
    wheels = build_cache(f"{requirement()} {cmake_args} {machine}")
    if not any(wheels.glob("*.whl")):
        say("building llama.cpp; this takes some minutes, once")
        wheels.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wheels) as folder:
            env = {**os.environ, "CMAKE_ARGS": cmake_args}
            source = ("--no-deps", "--no-cache-dir", "--no-binary", "llama-cpp-python", "--wheel-dir", folder)
            environment.pip("wheel", *source, requirement(), env=env)
            wheel = next(Path(folder).glob("*.whl"))
            wheel.rename(wheels / wheel.name)
    return next(wheels.glob("*.whl"))


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
