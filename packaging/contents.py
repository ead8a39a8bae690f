"""Says of everything in a frozen folder whose it is and under which licence. Runs in the packaging environment.

    python packaging/contents.py WORK FOLDER

Reads what the recipe noted (WORK/contents.json) and writes FOLDER/THIRD-PARTY.txt and WORK/sbom.json (CycloneDX). It
ends with an error when a file belongs to nobody, a part has no licence text, or a library that came compiled is not
accounted for in licences/parts.json: what is in it must be looked up by a person once.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from bill import Part, bill_of_materials, third_party

ROOT = Path(__file__).resolve().parent.parent
LICENCES = ROOT / "packaging" / "licences"
# The long ones are on every Debian; elsewhere, INGLENOOK_LICENCES names a folder with a copy of that one's files.
COMMON_LICENCES = Path(os.environ.get("INGLENOOK_LICENCES") or "/usr/share/common-licenses")
COMMON = {"Apache-2.0": "Apache-2.0", "GPL-3.0": "GPL-3", "LGPL-3.0": "LGPL-3", "MPL-2.0": "MPL-2.0"}
OURS = "inglenook"
BOOTLOADER = "pyinstaller"
LONGEST_NAME = 60


class UnaccountedError(Exception):
    """Something is inside of which it is not known whose it is, or under which licence."""


class Origins:
    """Finds out where a file comes from."""

    def __init__(self, work: Path) -> None:
        self._work = work.resolve()
        self._known = json.loads((LICENCES / "parts.json").read_text(encoding="utf-8"))
        self._owners: dict[Path, importlib.metadata.Distribution] = {}
        for distribution in importlib.metadata.distributions():
            for file in distribution.files or ():
                self._owners[Path(str(distribution.locate_file(file))).resolve()] = distribution
        self._standard = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
        self._base = Path(sys.base_prefix).resolve()
        self._parts: dict[str, Part] = {}
        self._compiled: set[str] = set()

    def parts(self, files: Iterable[tuple[str, Path]]) -> list[Part]:
        """The parts that the files, each with its place inside, belong to. Raises UnaccountedError."""
        missing = []
        for place, source in files:
            try:
                self._account(place, source)
            except UnaccountedError as error:
                missing.append(str(error))
        missing += self._unlooked()
        if missing:
            raise UnaccountedError("\n".join(sorted(set(missing))))
        return sorted(self._parts.values(), key=lambda part: part.name.lower())

    def _account(self, place: str, source: Path) -> None:
        real = source.resolve()
        if self._work in real.parents:
            own = "llama-cpp-python" if "libraries" in real.parts else "python" if real.suffix == ".zip" else OURS
            self._take(own, source)
        elif "resources" in real.parts and real.suffix == ".gguf":
            self._take("starter-model", source)
        elif ROOT / "resources" / "fonts" in real.parents:
            self._take("fonts", source)  # put there by hand at packaging time: parts.json must then tell their licence
        elif real in self._owners:
            self._take(_name(self._owners[real]), source)
        elif BOOTLOADER in (part.lower() for part in real.parts):
            self._take(BOOTLOADER, source)
        elif self._venv not in real.parents and (ROOT / "app" in real.parents or ROOT / "resources" in real.parents):
            self._take(OURS, source)
        elif self._of_python(real):
            self._take("python", source)
        elif sys.platform.startswith("linux"):
            self._take_debian(real)
        elif sys.platform == "win32" and "system32" in (part.lower() for part in real.parts):
            self._take("visual-c-runtime", source)
        else:
            raise UnaccountedError(f"{place} comes from {source}, which belongs to nothing known")

    def _of_python(self, real: Path) -> bool:
        if self._base != Path("/usr"):  # a Python of its own, not one among a system's programs
            return self._base in real.parents
        return any(folder in real.parents for folder in self._standard) or real.name.startswith("libpython")

    @property
    def _venv(self) -> Path:
        return Path(sys.prefix).resolve()

    def _take(self, name: str, source: Path) -> None:
        if source.suffix in (".so", ".pyd", ".dll", ".dylib") or ".so." in source.name:
            self._compiled.add(name)
        if name in self._parts or name == OURS:
            return
        known = self._known.get(name, {})
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            version = ".".join(map(str, sys.version_info[:3])) if name == "python" else known.get("version", "")
            purl, texts, licence = f"pkg:generic/{name}@{version}", [], ""
        else:
            version, texts, licence = distribution.version, _own_texts(distribution), _own_licence(distribution)
            purl = f"pkg:pypi/{name}@{version}"
        part = Part(name, version, known.get("licence", licence), purl)
        part.source, part.notice = known.get("source", ""), known.get("notice", "")
        part.texts = texts + [self._text(one) for one in known.get("texts", [])]
        if name == "python":
            part.texts.append(("LICENSE.txt", _python_licence()))
        for inner in known.get("within", []):
            texts = [self._text(one) for one in inner["texts"]]
            purl = f"pkg:generic/{inner['name'].lower().replace(' ', '-')}"
            part.within.append(
                Part(inner["name"], "", inner["licence"], purl, notice=inner.get("notice", ""), texts=texts)
            )
        self._parts[name] = part

    def _take_debian(self, real: Path) -> None:
        package = _debian_package(real)
        name = package.partition(":")[0]
        if name in self._parts:
            return
        copyright_file = Path("/usr/share/doc") / name / "copyright"
        if not copyright_file.is_file():
            raise UnaccountedError(f"{real} is of the Debian package {name}, which has no copyright file")
        query = ("dpkg-query", "-W", "-f=${Version}", package)
        version = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        text = copyright_file.read_text(encoding="utf-8", errors="replace")
        self._parts[name] = Part(
            name, version, "", f"pkg:deb/debian/{name}@{version}", texts=[(f"{name}/copyright", text)]
        )

    def _unlooked(self) -> list[str]:
        faults = [
            f"{name} brings compiled libraries: licences/parts.json must say what is inside them ('within', or empty)"
            for name in sorted(self._compiled)
            if "within" not in self._known.get(name, {}) and name != OURS
        ]
        for part in self._parts.values():
            faults += [f"{one.name} has no licence text" for one in (part, *part.within) if not one.texts]
        return faults

    def _text(self, name: str) -> tuple[str, str]:
        path = COMMON_LICENCES / COMMON[name] if name in COMMON else LICENCES / f"{name}.txt"
        if not path.is_file():
            raise UnaccountedError(f"there is no text of the licence {name}: {path}")
        return name, path.read_text(encoding="utf-8")


def _name(distribution: importlib.metadata.Distribution) -> str:
    return str(distribution.metadata["Name"]).lower().replace("_", "-")


def _own_texts(distribution: importlib.metadata.Distribution) -> list[tuple[str, str]]:
    found = []
    for file in distribution.files or ():
        name = file.name.upper()
        if ".dist-info" in str(file) and name.startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")):
            text = Path(str(distribution.locate_file(file))).read_text(encoding="utf-8", errors="replace")
            found.append((file.name, text))
    return found


def _own_licence(distribution: importlib.metadata.Distribution) -> str:
    told = distribution.metadata
    for heading in ("License-Expression", "License"):
        said = str(told[heading]) if heading in told else ""
        if said and len(said) < LONGEST_NAME:  # some have the whole text there
            return said
    names = [one for one in told.get_all("Classifier") or () if one.startswith("License ::")]
    return ", ".join(one.rpartition("::")[2].strip() for one in names)


def _python_licence() -> str:
    for folder in (Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix)):
        for name in ("LICENSE.txt", "LICENSE"):
            if (folder / name).is_file():
                return (folder / name).read_text(encoding="utf-8")
    raise UnaccountedError("this Python has no licence text")


def _debian_package(real: Path) -> str:
    for path in (real, Path("/usr") / real.relative_to("/"), Path("/") / str(real).removeprefix("/usr/")):
        done = subprocess.run(["dpkg", "-S", str(path)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.partition(": ")[0].split(",")[0]
    raise UnaccountedError(f"{real} belongs to no part that is known, and to no Debian package")


def main() -> int:
    """Writes both papers; returns the exit status."""
    work, folder = Path(sys.argv[1]), Path(sys.argv[2])
    noted = json.loads((work / "contents.json").read_text(encoding="utf-8"))
    files = [(place, Path(source)) for place, source, kind in noted["files"] if kind != "SYMLINK"]
    files += [(name, Path(source)) for name, source in noted["modules"] if source not in ("-", None)]
    files.append((OURS, Path(importlib.metadata.distribution(BOOTLOADER).locate_file("PyInstaller/__init__.py"))))  # type: ignore[arg-type]
    try:
        parts = Origins(work).parts(files)
    except UnaccountedError as error:
        print(f"inglenook: not everything inside is accounted for:\n{error}", file=sys.stderr)
        return 1
    facts = json.loads((work / "build.json").read_text(encoding="utf-8"))
    plan = json.loads((work / "plan.json").read_text(encoding="utf-8"))
    (folder / "THIRD-PARTY.txt").write_text(third_party(parts), encoding="utf-8")
    bill = bill_of_materials(plan["version"], facts["made_at"], facts["flavour"], parts)
    (work / "sbom.json").write_text(json.dumps(bill, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"inglenook: {len(parts)} parts inside, all accounted for")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
