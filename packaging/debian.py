"""The Debian package: the frozen folder below /usr/lib, and what a desktop wants to know of it. Standard library only.

Libraries that Debian has are taken from there, with its security updates; only the tarball brings them along. There are
no maintainer scripts: menus, icons and types of files are noticed by the packages that keep them, so that removing this
one leaves nothing behind.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from freeze import Flavour, made_at, version
from steps import ROOT, run

SOURCES = ROOT / "packaging" / "linux"
HOME = "usr/lib/inglenook"
MAINTAINER = "The Inglenook authors <inglenook@example.org>"
# Loaded only where its libraries are: it must not bring them.
OPTIONAL = re.compile(r"libqgtk3\.so|libggml-(cuda|hip|vulkan)\.so")
# What Debian has of it is another version, or nothing.
BROUGHT_ALONG = re.compile(r"lib(python|cudart|cublas)")
FONTS = "fonts-dejavu-core | fonts-liberation | fonts-noto-core"
RECOMMENDS = {"vulkan": ["libvulkan1"]}
DESCRIPTION = """\
talk with language models that run on your own computer
 Inglenook is a desktop application for language models in GGUF files. They run
 on this computer, in a process of their own, on the processor or a graphics
 card. {models}
 .
 Nothing leaves the computer before that is agreed to, conversations are kept in
 one file, and what the model sees of them is always shown.
"""
STARTER = """\
A small model is part of it, so that it answers without an account and
 without a network; others are found, judged and downloaded in the application."""
NO_STARTER = """\
Models are found, judged and downloaded in the application; none is
 part of this package."""
# The same for a shelf of applications.
SHELF_STARTER = "A small model is part of it, so that it answers at once, without an account and without a network."
SHELF_NO_STARTER = "Models are found and downloaded in it, or opened where they are."


def build_deb(flavour: Flavour, folder: Path, work: Path, dist: Path) -> Path:
    """Builds the package of a frozen folder; returns it. Raises CalledProcessError, OSError."""
    name = flavour.labelled("inglenook")
    root = work / flavour.labelled("deb")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(folder, root / HOME, symlinks=True)
    (root / HOME / "LICENSE.txt").unlink(missing_ok=True)  # stands in the file copyright
    _leave_to_debian(root / HOME / "_internal")
    _desktop(root, work / "icons", SHELF_NO_STARTER if flavour.lite else SHELF_STARTER)
    _papers(root, name)
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path == root / HOME / "inglenook" else 0o644)
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    _control(root, name, architecture, flavour)
    dist.mkdir(exist_ok=True)
    target = dist / f"{name}_{version()}_{architecture}.deb"
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(made_at())}
    run("dpkg-deb", "--root-owner-group", "-Zxz", "-z3", "--build", root, target, env=env)
    return target


def _leave_to_debian(inside: Path) -> None:
    """Takes the libraries out that PyInstaller brought from the system."""
    for path in inside.glob("lib*.so*"):
        if not path.is_symlink() and not BROUGHT_ALONG.match(path.name):
            path.unlink()


def _desktop(root: Path, icons: Path, models: str) -> None:
    share = root / "usr/share"
    places = {
        "inglenook.desktop": share / "applications/inglenook.desktop",
        "inglenook.metainfo.xml": share / "metainfo/io.github.inglenook.inglenook.metainfo.xml",
        "inglenook.mime.xml": share / "mime/packages/inglenook.xml",
        "lintian-overrides": share / "lintian/overrides/inglenook",
    }
    for source, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_filled(source).replace("@MODELS@", models), encoding="utf-8")
    for icon in icons.glob("*.png"):
        place = share / f"icons/hicolor/{icon.stem}x{icon.stem}/apps/inglenook.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(icon, place)
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/inglenook").symlink_to("../lib/inglenook/inglenook")


def _papers(root: Path, name: str) -> None:
    papers = root / "usr/share/doc" / name
    papers.mkdir(parents=True)
    (papers / "copyright").write_text(_filled("copyright").replace("doc/inglenook/", f"doc/{name}/"), encoding="utf-8")
    _compressed(papers / "changelog.gz", _changelog(name))
    _compressed(papers / "THIRD-PARTY.txt.gz", (root / HOME / "THIRD-PARTY.txt").read_text(encoding="utf-8"))
    (root / HOME / "THIRD-PARTY.txt").unlink()
    _compressed(root / "usr/share/man/man1/inglenook.1.gz", _filled("inglenook.1"))
    overrides = root / "usr/share/lintian/overrides/inglenook"
    if name != "inglenook":
        text = overrides.read_text(encoding="utf-8").replace("\ninglenook:", f"\n{name}:")
        overrides.unlink()
        overrides.with_name(name).write_text(text, encoding="utf-8")


def _control(root: Path, name: str, architecture: str, flavour: Flavour) -> None:
    control = root / "DEBIAN"
    control.mkdir()
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and control not in path.parents]
    sums = ""
    for path in files:
        if not path.is_symlink():
            with path.open("rb") as stream:
                sums += f"{hashlib.file_digest(stream, 'md5').hexdigest()}  {path.relative_to(root)}\n"
    (control / "md5sums").write_text(sums, encoding="utf-8")
    size = sum(max(1, -(-path.lstat().st_size // 1024)) for path in root.rglob("*"))
    lines = [
        f"Package: {name}",
        f"Version: {version()}",
        f"Architecture: {architecture}",
        f"Maintainer: {MAINTAINER}",
        f"Installed-Size: {size}",
        f"Depends: {', '.join(_dependencies(root))}",
        f"Recommends: {', '.join([FONTS, *RECOMMENDS.get(flavour.backend, [])])}",
        "Suggests: gnome-keyring | kwalletmanager",
        "Section: science",
        "Priority: optional",
    ]
    if name != "inglenook":
        lines += ["Provides: inglenook", "Conflicts: inglenook", "Replaces: inglenook"]
    lines.append(f"Description: {DESCRIPTION.format(models=NO_STARTER if flavour.lite else STARTER).strip()}")
    (control / "control").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _dependencies(root: Path) -> list[str]:
    """What the libraries inside need of the system, as dpkg-shlibdeps reads it off them."""
    inside = [path for path in (root / HOME).rglob("*") if path.is_file() and not path.is_symlink() and _is_elf(path)]
    looked_at = [path for path in inside if not OPTIONAL.fullmatch(path.name)]
    place = root.with_name(f"{root.name}-depends")
    shutil.rmtree(place, ignore_errors=True)
    (place / "debian").mkdir(parents=True)
    (place / "debian/control").write_text("Source: inglenook\n\nPackage: inglenook\nArchitecture: any\n")
    folders = sorted({path.parent for path in inside})
    words = ["dpkg-shlibdeps", "-O", "--ignore-missing-info", "--warnings=0", *(f"-l{folder}" for folder in folders)]
    done = subprocess.run(
        [*words, *(f"-e{path}" for path in looked_at)], cwd=place, check=True, stdout=subprocess.PIPE, text=True
    )
    found = re.sub(r"^shlibs:Depends=", "", done.stdout.strip())
    return [one.strip() for one in found.split(",") if one.strip()]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _changelog(name: str) -> str:
    moment = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(made_at()))
    return (
        f"{name} ({version()}) unstable; urgency=medium\n\n"
        f"  * What changed is told in the project's CHANGELOG.md.\n\n -- {MAINTAINER}  {moment}\n"
    )


def _compressed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _filled(source: str) -> str:
    date = time.strftime("%Y-%m-%d", time.gmtime(made_at()))
    text = (SOURCES / source).read_text(encoding="utf-8")
    return text.replace("@VERSION@", version()).replace("@DATE@", date)
