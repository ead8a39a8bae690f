"""The Windows installer (Inno Setup) and the macOS disk image. Standard library only.

Signing happens where the keys are: with INGLENOOK_SIGN set (docs/releasing.md), else what is made is not signed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from freeze import WORK, Flavour, version
from steps import ROOT, run

COMPILER = "ISCC.exe"
APP = "Inglenook.app"


def build_installer(flavour: Flavour, folder: Path, dist: Path, stem: str) -> Path:
    """The installer of a frozen folder. Raises CalledProcessError, OSError."""
    compiler = shutil.which(COMPILER) or str(
        Path(os.environ.get("PROGRAMFILES(X86)", "C:/Program Files (x86)")) / "Inno Setup 6" / COMPILER
    )
    dist.mkdir(exist_ok=True)
    defined = {
        "AppVersion": version(),
        "Frozen": folder,
        "Icon": WORK / "icons" / "inglenook.ico",
        "OutputDir": dist,
        "OutputName": f"{stem}-setup",
        "Flavour": flavour.name,
    }
    words = [f"/D{name}={value}" for name, value in defined.items()]
    if signing := os.environ.get("INGLENOOK_SIGN"):
        words += ["/DSign", f"/Ssign={signing} $f"]
    run(compiler, *words, ROOT / "packaging" / "windows" / "inglenook.iss")
    return dist / f"{stem}-setup.exe"


def build_image(folder: Path, dist: Path, stem: str) -> Path:
    """The disk image with the application bundle that lies beside the frozen folder. Raises CalledProcessError."""
    bundle = folder.with_name(APP)
    resources = bundle / "Contents" / "Resources"
    for paper in ("THIRD-PARTY.txt", "LICENSE.txt"):
        shutil.copyfile(folder / paper, resources / paper)
    identity = os.environ.get("INGLENOOK_SIGN", "-")  # '-': for this machine only
    entitlements = ROOT / "packaging" / "macos" / "entitlements.plist"
    hardened = ("--options", "runtime", "--entitlements", entitlements)
    stamp = ("--timestamp",) if identity != "-" else ()
    run("codesign", "--force", "--deep", "--sign", identity, *hardened, *stamp, bundle)
    run("codesign", "--verify", "--deep", "--strict", bundle)
    dist.mkdir(exist_ok=True)
    target = dist / f"{stem}.dmg"
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(bundle, Path(place) / APP, symlinks=True)
        (Path(place) / "Applications").symlink_to("/Applications")
        words = ("-volname", f"Inglenook {version()}", "-srcfolder", place, "-ov", "-format", "UDZO")
        run("hdiutil", "create", *words, target)
    if profile := os.environ.get("INGLENOOK_NOTARY"):
        run("xcrun", "notarytool", "submit", target, "--keychain-profile", profile, "--wait")
        run("xcrun", "stapler", "staple", target)
    return target
