"""Makes the packages: frozen folder, papers, tarball or installer, checksums. Standard library only.

    python3 packaging/package.py [--backend cpu|cuda|vulkan|metal|rocm] [--lite] [--only STEP]

A step: freeze, papers, budget, tarball, deb, installer, image, checksums. Without --only all those of this system are
done, in this order. What is made lies in dist/, the frozen folder in build/package/frozen/inglenook.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from debian import build_deb
from freeze import VENV, WORK, Flavour, freeze, made_at, version
from installers import build_image, build_installer
from native import BACKENDS
from steps import ROOT, refuse, run, say

DIST = ROOT / "dist"
MODEL_SUFFIX = ".gguf"
# Installed size in MB without the starter model, by backend; a graphics backend brings its own kernels.
BUDGET_MB = {"cpu": 260, "vulkan": 330, "metal": 260, "rocm": 900, "cuda": 900}


class TooLargeError(Exception):
    """The frozen folder is larger than it may be."""


def papers(flavour: Flavour, folder: Path) -> None:
    """THIRD-PARTY.txt and licence into the folder, the list of parts beside the packages. Raises CalledProcessError."""
    work = WORK / flavour.labelled("work")
    run(VENV.python, ROOT / "packaging" / "contents.py", work, folder)
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE.txt")
    DIST.mkdir(exist_ok=True)
    shutil.copyfile(work / "sbom.json", DIST / f"{stem(flavour)}.cdx.json")


def budget(flavour: Flavour, folder: Path) -> None:
    """Raises TooLargeError when the folder is larger than its backend's budget."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files if path.suffix != MODEL_SUFFIX)
    allowed = BUDGET_MB[flavour.backend]
    words = f"{size / 1e6:.1f} MB installed without the starter model; {allowed} MB are allowed"
    if size > allowed * 1e6:
        raise TooLargeError(words)
    say(words)


def tarball(flavour: Flavour, folder: Path) -> Path:
    """The folder as one file that can be unpacked and run anywhere."""
    DIST.mkdir(exist_ok=True)
    target = DIST / f"{stem(flavour)}.tar.gz"
    top = f"inglenook-{version()}"
    moment = made_at()

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = moment
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    with tarfile.open(target, "w:gz", compresslevel=6) as archive:
        archive.add(folder, top, recursive=False, filter=plain)
        for path in sorted(folder.rglob("*")):
            archive.add(path, f"{top}/{path.relative_to(folder).as_posix()}", recursive=False, filter=plain)
    say(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.1f} MB")
    return target


def deb(flavour: Flavour, folder: Path) -> Path:
    """The Debian package. Raises CalledProcessError, OSError."""
    target = build_deb(flavour, folder, WORK, DIST)
    say(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.1f} MB")
    return target


def checksums(_flavour: Flavour, _folder: Path) -> None:
    """dist/SHA256SUMS, of everything that lies there, as `sha256sum --check` reads it."""
    lines = []
    for path in sorted(path for path in DIST.iterdir() if path.is_file() and path.name != "SHA256SUMS"):
        with path.open("rb") as stream:
            lines.append(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {path.name}\n")
    (DIST / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def stem(flavour: Flavour) -> str:
    """How the files of a package are called, without their ending."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    return flavour.labelled(f"inglenook-{version()}-{system}-{machine}")


Step = Callable[[Flavour, Path], object]
LINUX: dict[str, Step] = {"tarball": tarball, "deb": deb}
WINDOWS: dict[str, Step] = {"installer": lambda flavour, folder: build_installer(flavour, folder, DIST, stem(flavour))}
APPLE: dict[str, Step] = {"image": lambda flavour, folder: build_image(folder, DIST, stem(flavour))}


def steps() -> dict[str, Step]:
    """What is done on this system, in this order."""
    own = {"win32": WINDOWS, "darwin": APPLE}.get(sys.platform, LINUX)
    return {"papers": papers, "budget": budget, **own, "checksums": checksums}


def main() -> int:
    """Runs the steps; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--backend", choices=sorted(BACKENDS), default="cpu")
    parser.add_argument("--lite", action="store_true", help="without the starter model")
    parser.add_argument("--only", choices=["freeze", *steps()], help="one step, on what the others made before")
    wanted = parser.parse_args()
    os.umask(0o022)
    flavour = Flavour(wanted.backend, wanted.lite)
    folder = WORK / flavour.labelled("frozen") / "inglenook"
    try:
        if wanted.only in (None, "freeze"):
            freeze(flavour)
        elif not folder.is_dir():
            return refuse("there is no frozen folder yet: run the step freeze before")
        for name, step in steps().items():
            if wanted.only in (None, name):
                step(flavour, folder)
    except subprocess.CalledProcessError as error:
        return refuse(f"Packaging stopped: '{' '.join(map(str, error.cmd))}' ended with {error.returncode}.")
    except (OSError, TooLargeError) as error:
        return refuse(f"Packaging stopped: {error}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
