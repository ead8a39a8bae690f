"""What goes into the frozen folder and what stays out."""

from __future__ import annotations

import pytest

from tests.scripts.loading import script

inside = script("inside")


@pytest.mark.parametrize(
    "place",
    [
        "PySide6/QtWidgets.abi3.so",
        "PySide6/QtCore.pyd",
        "PySide6/Qt/plugins/platforms/libqxcb.so",
        "PySide6/plugins/platforms/qwindows.dll",
        "PySide6/Qt/lib/libQt6Core.so.6",
        "libpython3.11.so.1.0",
        "libssl.so.3",
        "libgomp.so.1",
        "libcudart.so.13",
        "libcublasLt.so.13",
        "sqlcipher3/_sqlite3.so",
        "resources/models.json",
    ],
)
def test_what_is_used_goes_in(place: str) -> None:
    assert inside.is_wanted((place, "/somewhere", "BINARY"))


@pytest.mark.parametrize(
    "place",
    [
        "PySide6/QtQml.abi3.so",
        "PySide6/QtOpenGL.pyd",
        "PySide6/Qt/plugins/platforms/libqeglfs.so",
        "PySide6/Qt/plugins/imageformats/libqpdf.so",
        "PySide6/Qt/translations/qtbase_de.qm",
        "PySide6/opengl32sw.dll",
        "libstdc++.so.6",
        "libc.so.6",
        "libglib-2.0.so.0",
        "libGL.so.1",
        "libpango-1.0.so.0",
        "llama_cpp/lib/libllama.so.0",
        "libcuda.so.1",
        "libnvidia-ml.so.1",
        "libvulkan.so.1",
        "librocblas.so.4",
        "nvcuda.dll",
    ],
)
def test_what_is_not_used_or_is_the_systems_stays_out(place: str) -> None:
    assert not inside.is_wanted((place, "/somewhere", "BINARY"))


def test_libraries_that_nothing_needs_any_more_go() -> None:
    needs = {
        "/x/QtGui.so": ["libQt6Gui.so.6"],
        "/x/libQt6Gui.so.6": ["libQt6Core.so.6", "libz.so.1"],
        "/x/libQt6Qml.so.6": ["libfoo.so.1"],
    }
    entries = [
        ("PySide6/QtGui.abi3.so", "/x/QtGui.so", "EXTENSION"),
        ("PySide6/Qt/lib/libQt6Gui.so.6", "/x/libQt6Gui.so.6", "BINARY"),
        ("PySide6/Qt/lib/libQt6Core.so.6", "/x/libQt6Core.so.6", "BINARY"),
        ("PySide6/Qt/lib/libQt6Qml.so.6", "/x/libQt6Qml.so.6", "BINARY"),
        ("libz.so.1", "/x/libz.so.1", "BINARY"),
        ("libfoo.so.1", "/x/libfoo.so.1", "BINARY"),
        ("libpython3.11.so.1.0", "/x/libpython", "BINARY"),
        ("resources/models.json", "/x/models.json", "DATA"),
    ]
    kept = {entry[0].rpartition("/")[2] for entry in inside.reached(entries, lambda path: needs.get(path, []))}
    assert kept == {
        "QtGui.abi3.so", "libQt6Gui.so.6", "libQt6Core.so.6", "libz.so.1", "libpython3.11.so.1.0", "models.json",
    }  # fmt: skip
