"""Makes the frozen folder with PyInstaller, in a virtual environment of its own. Standard library only.

The same environment for every platform: what pyproject.toml asks for at run time, PyInstaller, both at their pinned
versions, and the bindings of a llama.cpp that was built for packages (native.py).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import native
from starter import PLACE as STARTER
from starter import starter_model
from steps import CONSTRAINTS, ROOT, Environment, digest, output, pinned, run, say

WORK = ROOT / "build" / "package"
VENV = Environment(WORK / "venv")
STAMP = VENV.folder / "inglenook-packaging.json"
SPEC = ROOT / "packaging" / "inglenook.spec"
MEASURED_BACKEND = "cpu"


@dataclass
class Plan:
    """What the recipe inglenook.spec is told. Paths are absolute; '' where there is none."""

    version: str
    facts: str
    model: str
    libraries: list[str]
    contents: str
    icon: str = ""
    version_resource: str = ""


@dataclass(frozen=True)
class Flavour:
    """Which package: the graphics backend, and whether the starter model is left out."""

    backend: str = "cpu"
    lite: bool = False
    name: str = field(init=False)

    def __post_init__(self) -> None:
        parts = [self.backend if self.backend != MEASURED_BACKEND else "", "lite" if self.lite else ""]
        object.__setattr__(self, "name", "-".join(part for part in parts if part))

    def labelled(self, stem: str) -> str:
        """`stem` with the flavour's name, if it has one."""
        return f"{stem}-{self.name}" if self.name else stem


def version() -> str:
    """The application's version."""
    text = (ROOT / "app" / "base" / "version.py").read_text(encoding="utf-8")
    return text.partition('VERSION = "')[2].partition('"')[0]


def environment(backend: str) -> Path:
    """Brings the packaging environment up to date; returns the llama.cpp wheel. Raises CalledProcessError, OSError."""
    VENV.make()
    wheel = native.portable_wheel(VENV, backend)
    scripts = [ROOT / "packaging" / name for name in ("freeze.py", "native.py", "steps.py")]
    inputs = digest([ROOT / "pyproject.toml", CONSTRAINTS, *scripts], str(wheel))
    if STAMP.exists() and STAMP.read_text() == inputs:
        return wheel
    say("installing what goes into the package")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    VENV.pip(*native.INSTALL, wheel)
    tool = f"pyinstaller=={pinned('pyinstaller')}"
    VENV.pip("install", "--constraint", CONSTRAINTS, *project["dependencies"], tool)
    STAMP.write_text(inputs)
    return wheel


def freeze(flavour: Flavour) -> Path:
    """Makes the frozen folder of a flavour; returns it. Raises CalledProcessError, OSError."""
    wheel = environment(flavour.backend)
    if not flavour.lite:
        starter_model(VENV)
    work = WORK / flavour.labelled("work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    libraries = native.lay_out(wheel, work / "libraries")
    facts = work / "build.json"
    facts.write_text(json.dumps(build_facts(flavour), indent=1) + "\n", encoding="utf-8")
    icons = draw_icons()
    plan = Plan(
        version=version(),
        facts=str(facts),
        model="" if flavour.lite else str(STARTER.resolve()),
        libraries=[str(path) for path in libraries],
        contents=str(work / "contents.json"),
        icon=str(icons / {"win32": "inglenook.ico", "darwin": "inglenook.icns"}[sys.platform])
        if sys.platform in ("win32", "darwin")
        else "",
        version_resource=str(version_resource(work)) if sys.platform == "win32" else "",
    )
    paper = work / "plan.json"
    paper.write_text(json.dumps(asdict(plan)), encoding="utf-8")
    say(f"freezing {flavour.labelled('inglenook')} {version()}")
    place = WORK / flavour.labelled("frozen")
    shutil.rmtree(place, ignore_errors=True)
    words = ("--noconfirm", "--log-level", "WARN", "--distpath", place, "--workpath", work / "pyinstaller", SPEC)
    env = {**os.environ, "INGLENOOK_PLAN": str(paper), "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": str(made_at())}
    run(VENV.python, "-m", "PyInstaller", *words, env=env)
    forget_build_paths(place / "inglenook")
    return place / "inglenook"


def forget_build_paths(folder: Path) -> None:
    """Takes the place of this machine's Python out of the libraries' search paths: it means nothing elsewhere, and
    whoever can write there could have code run. The string is overwritten where it stands, with a shorter one."""
    if not sys.platform.startswith("linux"):
        return
    told = f"{sysconfig.get_config_var('LIBDIR')}\0".encode()
    new = b"$ORIGIN\0"
    for path in folder.rglob("*.so*"):
        if path.is_symlink() or len(new) > len(told):
            continue
        data = path.read_bytes()
        if told in data:
            path.write_bytes(data.replace(told, new.ljust(len(told), b"\0")))


def draw_icons() -> Path:
    """The folder with the application's icon in every size and form, drawn by the application itself."""
    folder = WORK / "icons"
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    run(VENV.python, ROOT / "packaging" / "draw_icons.py", folder, env=env)
    return folder


def made_at() -> int:
    """The moment that all files of a package bear, in seconds: SOURCE_DATE_EPOCH, else that of the commit."""
    if told := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(told)
    return int(_git("log", "-1", "--format=%ct") or 0)


def build_facts(flavour: Flavour) -> dict[str, str]:
    """What `inglenook doctor` tells of a package: which it is, and what it was made of."""
    changed = "with changes" if _git("status", "--porcelain") else ""
    return {
        "flavour": flavour.name or "standard",
        "commit": " ".join(filter(None, [_git("rev-parse", "--short=12", "HEAD"), changed])) or "unknown",
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made_at())),
        "made_on": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver()) or 'libc unknown'}",
        "python": platform.python_version(),
        "pyinstaller": pinned("pyinstaller"),
        "qt": pinned("PySide6_Essentials"),
        "llama_cpp_python": pinned("llama-cpp-python"),
        "llama_cpp_flags": native.portable_flags(flavour.backend),
    }


def version_resource(folder: Path) -> Path:
    """The file that tells Windows what the program is."""
    numbers = (*(int(part) for part in version().split(".")[:3]), 0)
    words = {
        "CompanyName": "The Inglenook authors",
        "FileDescription": "Inglenook",
        "FileVersion": version(),
        "InternalName": "inglenook",
        "LegalCopyright": "MIT licence",
        "OriginalFilename": "inglenook.exe",
        "ProductName": "Inglenook",
        "ProductVersion": version(),
    }
    strings = ", ".join(f"StringStruct({key!r}, {value!r})" for key, value in words.items())
    path = folder / "version_resource.txt"
    path.write_text(
        f"VSVersionInfo(ffi=FixedFileInfo(filevers={numbers}, prodvers={numbers}), kids=["
        f"StringFileInfo([StringTable('040904B0', [{strings}])]), "
        "VarFileInfo([VarStruct('Translation', [1033, 1200])])])\n",
        encoding="utf-8",
    )
    return path


def _git(*words: str) -> str:
    try:
        return output("git", *words).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
