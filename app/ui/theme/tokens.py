"""Every colour, size, gap and duration of the window, as plain values. Nothing here imports Qt.

Contrast figures are measured on `page`; both palettes keep text at 4.5:1 or better on every surface it may stand on,
and outlines of controls at 3:1. Ember text on `hover` in Paper misses that, so `ember2` is used there.
"""

from __future__ import annotations

from dataclasses import dataclass

PAPER: dict[str, str] = {
    "page": "#FCFAF6",
    "side": "#F5F2EB",
    "raised": "#FFFFFF",
    "fill": "#F2EEE6",
    "hover": "#ECE7DC",
    "line": "#E7E1D5",
    "line2": "#D8D1C3",
    "edge": "#8C8477",
    "ink": "#23201C",
    "ink2": "#5C564D",
    "ink3": "#6C655B",
    "ember": "#BE3F12",
    "ember2": "#A63609",
    "on_ember": "#FFFFFF",
    "tint": "#FBEAE1",
    "tint_text": "#A63609",
    "moss": "#3F6B3A",
    "moss_tint": "#EAF0E3",
    "ochre": "#865B00",
    "ochre_tint": "#FAF0D9",
    "rose": "#A61E3C",
    "rose_tint": "#FAE8EA",
    "selection": "#F6D3C3",
    "code_keyword": "#7A3E86",
    "code_string": "#4A6B33",
    "code_number": "#2B6680",
    "bar_dark": "#544D43",
    "bar_mid": "#968B7A",
    "bar_empty": "#E4DDCF",
    "shadow": "#21000000",
    "toast": "#23201C",
    "toast_text": "#FCFAF6",
    "toast_line": "#5C564D",
}

NIGHT: dict[str, str] = {
    "page": "#1C1A17",
    "side": "#171512",
    "raised": "#24211D",
    "fill": "#262320",
    "hover": "#322E29",
    "line": "#312D28",
    "line2": "#423D36",
    "edge": "#7E766A",
    "ink": "#ECE6DB",
    "ink2": "#B5ADA0",
    "ink3": "#9F978A",
    "ember": "#F27B4B",
    "ember2": "#F79A72",
    "on_ember": "#1F0F07",
    "tint": "#38241A",
    "tint_text": "#F79A72",
    "moss": "#93BE86",
    "moss_tint": "#222A1E",
    "ochre": "#DDB155",
    "ochre_tint": "#312817",
    "rose": "#F2899A",
    "rose_tint": "#371F22",
    "selection": "#5A3420",
    "code_keyword": "#CFA0DA",
    "code_string": "#A9C68C",
    "code_number": "#8CC3D9",
    "bar_dark": "#B9AFA1",
    "bar_mid": "#7B7265",
    "bar_empty": "#37332D",
    "shadow": "#6E000000",
    "toast": "#ECE6DB",
    "toast_text": "#1C1A17",
    "toast_line": "#9F978A",
}

SANS = [
    "Inter",
    "Segoe UI Variable Text",
    "Segoe UI",
    ".AppleSystemUIFont",
    "Ubuntu Sans",
    "Ubuntu",
    "Cantarell",
    "Noto Sans",
    "DejaVu Sans",
]
SERIF = ["Source Serif 4", "Source Serif", "Iowan Old Style", "Charter", "Georgia", "Noto Serif", "DejaVu Serif"]
MONO = [
    "JetBrains Mono",
    "Cascadia Mono",
    "SF Mono",
    "Menlo",
    "Ubuntu Mono",
    "Noto Sans Mono",
    "DejaVu Sans Mono",
]
# Naming a CJK family spares Qt the search through every font for each missing glyph.
FALLBACK = ["Noto Sans CJK SC", "Microsoft YaHei UI", "PingFang SC", "WenQuanYi Micro Hei", "Noto Color Emoji"]


@dataclass(frozen=True)
class Type:
    """One use of type: family stack, size and line in pixels, weight (100..900)."""

    families: list[str]
    px: int
    line: int
    weight: int = 400


TYPE: dict[str, Type] = {
    "greeting": Type(SERIF, 34, 42),
    "page_title": Type(SERIF, 26, 34),
    "wordmark": Type(SERIF, 17, 24, 600),
    "model_title": Type(SANS, 24, 32, 600),
    "figure": Type(SANS, 24, 32, 500),
    "section": Type(SANS, 17, 28, 600),
    "body": Type(SANS, 15, 24),
    "body_strong": Type(SANS, 15, 24, 600),
    "row": Type(SANS, 14, 20),
    "row_selected": Type(SANS, 14, 20, 500),
    "row_strong": Type(SANS, 14, 20, 600),
    "button": Type(SANS, 13, 20, 500),
    "secondary": Type(SANS, 13, 20),
    "code": Type(MONO, 13, 20),
    "caption": Type(SANS, 12, 16),
    "caption_strong": Type(SANS, 12, 16, 500),
    "hint": Type(SANS, 11, 16, 500),
}

RADIUS_BLOCK = 10
RADIUS_CONTROL = 8
RADIUS_ICON = 6
RADIUS_BADGE = 5
SHADOW_BLUR = 28
SHADOW_Y = 6
FOCUS_WIDTH = 2
FOCUS_GAP = 2

HEADER_HEIGHT = 52
TOAST_HEIGHT = 44
SIDEBAR_WIDE = 264
SIDEBAR_NARROW = 232
RAIL = 56
PANEL = 352
WIDE_FROM = 1200
OVERLAY_BELOW = 900
MINIMUM_SIZE = (880, 600)
FIRST_SIZE = (1200, 800)
OVERHANG = 16
COLUMNS = {"narrow": 640, "normal": 720, "wide": 792}
SIDE_MARGIN = 20
LINE_HEIGHTS = {"snug": 1.4, "normal": 1.6, "airy": 1.8}

HOVER_MS = 90
FOLD_MS = 140
TOAST_IN_MS = 160
TOAST_OUT_MS = 120
PULSE_MS = 900
TOAST_STAYS_MS = 6000


def line_height(wanted: float) -> str:
    """The name of the line height that comes nearest to a multiple of the text size."""
    return min(LINE_HEIGHTS, key=lambda name: abs(LINE_HEIGHTS[name] - wanted))
