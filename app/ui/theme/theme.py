"""The palette in use: colours, fonts and icons by role, and word when they change. Knows no screen.

Every widget asks here and nowhere else, and repaints on `changed`.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon

from app.base.paths import resources
from app.ui.theme import icons, tokens

SYSTEM, PAPER, NIGHT = "system", "paper", "night"


class Theme(QObject):
    """Colours, fonts and icons of the palette in use.

    `preference` is system, paper or night; `system` follows the desktop while it runs.
    """

    changed = Signal()

    def __init__(self, preference: str = SYSTEM, *, less_motion: bool = False, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preference = preference
        self._less_motion = less_motion
        self._fonts: dict[str, QFont] = {}
        self._icons: dict[tuple[str, str], QIcon] = {}
        self._colours: dict[str, QColor] = {}
        self._dark = self._wanted_dark()
        self._read_palette()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)

    @property
    def dark(self) -> bool:
        """Whether Night is in use."""
        return self._dark

    @property
    def preference(self) -> str:
        """What the person chose: system, paper or night."""
        return self._preference

    @property
    def less_motion(self) -> bool:
        """Whether every duration is 0."""
        return self._less_motion

    def set_preference(self, preference: str) -> None:
        """Chooses system, paper or night."""
        if preference != self._preference:
            self._preference = preference
            self._follow()

    def set_less_motion(self, less: bool) -> None:
        """Switches motion off or on."""
        if less != self._less_motion:
            self._less_motion = less
            self.changed.emit()

    def duration(self, milliseconds: int) -> int:
        """The duration to use for a motion that normally takes `milliseconds`."""
        return 0 if self._less_motion else milliseconds

    def colour(self, role: str) -> QColor:
        """The colour of a role of tokens.PAPER, as a fresh value."""
        return QColor(self._colours[role])

    def font(self, use: str) -> QFont:
        """The font of a use of tokens.TYPE, as a fresh value, with tabular figures."""
        font = self._fonts.get(use)
        if font is None:
            font = self._fonts[use] = make_font(tokens.TYPE[use])
        return QFont(font)

    def line(self, use: str) -> int:
        """The line height of a use of type in pixels."""
        return tokens.TYPE[use].line

    def icon(self, name: str, role: str = "ink2") -> QIcon:
        """The icon in the colour of `role`, for menus and native places; widgets paint with icons.paint instead."""
        key = (name, role)
        if key not in self._icons:
            self._icons[key] = icons.icon(name, self.colour(role))
        return self._icons[key]

    def _wanted_dark(self) -> bool:
        if self._preference == SYSTEM:
            return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return self._preference == NIGHT

    def _follow(self) -> None:
        dark = self._wanted_dark()
        if dark != self._dark:
            self._dark = dark
            self._read_palette()
            self._icons.clear()
            self.changed.emit()

    def _read_palette(self) -> None:
        values = tokens.NIGHT if self._dark else tokens.PAPER
        self._colours = {role: QColor(value) for role, value in values.items()}


def make_font(use: tokens.Type, px: int | None = None) -> QFont:
    """A font of the stack of `use`, at `px` pixels instead of its own size if given."""
    font = QFont()
    font.setFamilies([*use.families, *tokens.FALLBACK])
    font.setPixelSize(px or use.px)
    font.setWeight(QFont.Weight(use.weight))
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    if use.families is not tokens.MONO:
        font.setFeature(QFont.Tag("tnum"), 1)
    else:
        font.setStyleHint(QFont.StyleHint.Monospace)
        font.setFeature(QFont.Tag("calt"), 0)  # "!=" is not to be read as another sign
    return font


def load_fonts() -> None:
    """Adds the fonts a package put into resources/fonts; without them the system's stack is used."""
    folder = resources() / "fonts"
    if folder.is_dir():
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in (".ttf", ".otf"):
                QFontDatabase.addApplicationFont(str(file))
