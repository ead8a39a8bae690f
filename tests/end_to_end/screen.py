"""A screen of its own (Xvfb), real keys on it (xdotool), and pictures of what it shows."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from PySide6.QtGui import QImage

SIZE = (1440, 900)
PICTURES = Path(__file__).resolve().parents[2] / "build" / "end_to_end"

# The head of a file as Xvfb keeps its frame buffer (X11/XWDFile.h): 25 big-endian words, then the colour map.
_WORDS = 25
_HEAD_BYTES, _WIDTH, _HEIGHT, _BITS, _LINE_BYTES, _COLOURS = 0, 4, 5, 11, 12, 19
_COLOUR_BYTES = 12


class Screen:
    """One X server. Ended by its process."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="inglenook-screen-"))
        reading, writing = os.pipe()
        width, height = SIZE
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
        self._server = subprocess.Popen(
            [*command, "-fbdir", str(self._folder)], pass_fds=[writing], stderr=subprocess.DEVNULL
        )
        os.close(writing)
        with os.fdopen(reading) as number:
            self.display = f":{number.readline().strip()}"

    def close(self) -> None:
        """Ends the server."""
        self._server.terminate()
        self._server.wait()
        shutil.rmtree(self._folder)

    def do(self, *words: str) -> str:
        """Runs xdotool; returns what it prints. A failure is a failure of the test."""
        done = self._xdotool(*words)
        assert done.returncode == 0, f"xdotool {' '.join(words)}: {done.stderr}"
        return done.stdout

    def windows_of(self, pid: int, title: str = "Inglenook") -> list[str]:
        """The visible windows of a process whose titles hold these words."""
        return self._xdotool("search", "--all", "--onlyvisible", "--pid", str(pid), "--name", title).stdout.split()

    def title(self, window: str) -> str:
        """What the title bar would say."""
        return self._xdotool("getwindowname", window).stdout.strip()

    def place(self, window: str) -> dict[str, int]:
        """X, Y, WIDTH and HEIGHT of a window."""
        lines = self.do("getwindowgeometry", "--shell", window).splitlines()
        pairs = (line.split("=") for line in lines)
        return {name: int(value) for name, value in pairs if name in ("X", "Y", "WIDTH", "HEIGHT")}

    def picture(self, name: str) -> QImage:
        """What the screen shows, also kept as build/end_to_end/NAME.png."""
        data = (self._folder / "Xvfb_screen0").read_bytes()
        head = struct.unpack_from(f">{_WORDS}I", data)
        assert head[_BITS] == 32
        start = head[_HEAD_BYTES] + head[_COLOURS] * _COLOUR_BYTES
        image = QImage(data[start:], head[_WIDTH], head[_HEIGHT], head[_LINE_BYTES], QImage.Format.Format_RGB32).copy()
        PICTURES.mkdir(parents=True, exist_ok=True)
        assert image.save(str(PICTURES / f"{name}.png"))
        return image

    def _xdotool(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "DISPLAY": self.display}
        return subprocess.run(["xdotool", *words], env=environment, capture_output=True, text=True, check=False)
