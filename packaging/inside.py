"""What goes into the frozen folder and what stays out. Read by inglenook.spec; decides, and touches no file.

Entries are PyInstaller's: (place in the folder, file it comes from, kind).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath

Entry = tuple[str, str, str]

# Imported by name at run time, so that nobody who reads the imports finds them.
HIDDEN = [
    "alembic.command",
    "alembic.config",
    "alembic.context",
    "alembic.op",
    "app.store.migrator",
    "llama_cpp.llama_cpp",
    "logging.config",
    "pygments.lexers",
]
# What comes along with a package although the application never gets there.
EXCLUDED = [
    # llama-cpp-python's high-level half, of which the worker loads only the bindings (docs/decisions/006)
    "diskcache",
    "llama_cpp.llama",
    "llama_cpp.llama_cache",
    "llama_cpp.llama_chat_format",
    "llama_cpp.llama_cpp_ext",
    "llama_cpp.llama_speculative",
    "llama_cpp.llava_cpp",
    "llama_cpp.mtmd_cpp",
    "llama_cpp.server",
    "numpy",
    # transports that the gate does not own, and the Hub's own command line
    "hf_xet",
    "huggingface_hub.cli",
    "requests",
    "urllib3",
    # every connection goes through sqlcipher3's SQLite
    "_sqlite3",
    "sqlite3",
    # tools
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pip",
    "pkg_resources",
    "pydoc_data",
    "setuptools",
    "test",
    "tkinter",
    "turtle",
    "turtledemo",
    "venv",
    "wheel",
    # of no use to a program without a console of its own
    "curses",
    "readline",
    "rich",
]
# Distributions that are asked for their version, or for what they offer to others.
METADATA = ["llama-cpp-python", "keyring"]

QT_MODULES = ["QtCore", "QtDBus", "QtGui", "QtNetwork", "QtWidgets"]
QT_PLUGINS = {
    "iconengines": (),
    "imageformats": ("qgif", "qico", "qicns", "qjpeg", "qwebp"),
    "platforminputcontexts": ("composeplatforminputcontextplugin", "ibusplatforminputcontextplugin"),
    "platforms": ("qxcb", "qwayland", "qoffscreen", "qminimal", "qwindows", "qcocoa"),
    "platformthemes": ("qgtk3", "qxdgdesktopportal"),
    "styles": ("qmacstyle", "qmodernwindowsstyle"),
    "wayland-decoration-client": ("bradient",),
    "wayland-graphics-integration-client": (),
    "wayland-shell-integration": ("xdg-shell",),
    "xcbglintegrations": (),
}
# Where the system and its drivers bring a library of their own, an older copy beside the program is in their way.
OF_THE_SYSTEM = re.compile(
    r"lib(c|m|dl|rt|pthread|util|stdc\+\+|gcc_s|glib-2\.0|gobject-2\.0|gio-2\.0|gmodule-2\.0|gthread-2\.0|fontconfig|freetype|expat|dbus-1|systemd"
    r"|udev|X11|X11-xcb|X\w+|xcb|GL|EGL|GLX|OpenGL|GLdispatch|drm|gbm|epoxy|wayland-[\w-]+|gtk-3|gdk-3|gdk_pixbuf-2\.0|rsvg-2"
    r"|cairo[\w-]*|pixman-1|pango[\w.-]*|atk[\w.-]*|harfbuzz|graphite2|fribidi|thai|datrie|png16|jpeg|mount|blkid|selinux"
    r"|pcre2?-?\w*|gcrypt|gpg-error|cap|bsd|md)\.so(\.[\d.]+)?"
)
# What a graphics driver brings, and what only fits one version of it. A copy from the machine that builds would break
# every other one; where it is missing, the backend does not load and the processor does the work.
OF_THE_DRIVER = re.compile(
    r"lib(cuda|nvidia-[\w-]+|vulkan|OpenCL|amdhip64|hsa-runtime64|amd_comgr\w*|drm_amdgpu|roc[\w-]+|hip[\w-]+)\.so(\.[\d.]+)?"
    r"|(nvcuda|vulkan-1|amdhip64\w*|OpenCL)\.dll"
)


def is_wanted(entry: Entry) -> bool:
    """Whether a library or data file goes in, judged by its place alone."""
    place = PurePath(entry[0].replace("\\", "/"))
    parts = place.parts
    if OF_THE_SYSTEM.fullmatch(place.name) or OF_THE_DRIVER.fullmatch(place.name):
        return False
    if parts[0] == "llama_cpp":
        return False  # laid out by native.py, each library once
    if parts[:2] == ("PySide6", "Qt") and "translations" in parts:
        return False  # the application speaks English
    if "plugins" in parts and parts[0] == "PySide6":
        return _is_wanted_plugin(place)
    if parts[0] == "PySide6" and re.match(r"Qt[A-Z]\w*\.(abi3\.so|pyd)", place.name):
        return place.name.partition(".")[0] in QT_MODULES
    return not (place.suffix in (".pyi", ".h", ".qml") or place.name == "opengl32sw.dll")


def _is_wanted_plugin(place: PurePath) -> bool:
    kind = place.parent.name
    return place.stem.removeprefix("lib") in QT_PLUGINS.get(kind, ())


def is_shared_library(entry: Entry) -> bool:
    """Whether an entry is there only because another file is linked to it; Python's own is opened by the bootloader."""
    place = PurePath(entry[0].replace("\\", "/"))
    if place.name.startswith("libpython"):
        return False
    of_qt = place.parts[0] == "PySide6" and place.parent.name in ("lib", "PySide6") and not place.name.startswith("Qt")
    return of_qt or (len(place.parts) == 1 and re.fullmatch(r"lib.+\.so(\.[\d.]+)?", place.name) is not None)


def reached(entries: Iterable[Entry], needs: Callable[[str], Sequence[str]]) -> list[Entry]:
    """The entries without the shared libraries that nothing needs any more, directly or through another.

    `needs` tells the names of the libraries that a file is linked to.
    """
    entries = list(entries)
    names = {PurePath(entry[0]).name: entry for entry in entries if entry[2] == "BINARY" and is_shared_library(entry)}
    wanted = [entry for entry in entries if entry not in names.values()]
    look, seen = [entry for entry in wanted if entry[2] in ("BINARY", "EXTENSION")], set[str]()
    while look:
        for name in needs(look.pop()[1]):
            if name in names and name not in seen:
                seen.add(name)
                look.append(names[name])
    return [*wanted, *(names[name] for name in sorted(seen))]
