"""Fusion, a full palette, and the few style sheet rules that painted widgets do not cover."""

from __future__ import annotations

from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication

from app.ui.theme import tokens
from app.ui.theme.theme import Theme

_STYLE = "Fusion"

ARGUMENTS = ("-style", _STYLE)
"""What the QApplication is to be made with. Setting a style later hands it to Python, which learns all of QStyle's
enumerations for that: 8 ms."""

_ROLES: dict[QPalette.ColorRole, str] = {
    QPalette.ColorRole.Window: "page",
    QPalette.ColorRole.WindowText: "ink",
    QPalette.ColorRole.Base: "raised",
    QPalette.ColorRole.AlternateBase: "fill",
    QPalette.ColorRole.Text: "ink",
    QPalette.ColorRole.Button: "raised",
    QPalette.ColorRole.ButtonText: "ink",
    QPalette.ColorRole.BrightText: "rose",
    QPalette.ColorRole.PlaceholderText: "ink3",
    QPalette.ColorRole.Highlight: "selection",
    QPalette.ColorRole.HighlightedText: "ink",
    QPalette.ColorRole.Accent: "ember",
    QPalette.ColorRole.Link: "ember",
    QPalette.ColorRole.LinkVisited: "ember2",
    QPalette.ColorRole.ToolTipBase: "toast",
    QPalette.ColorRole.ToolTipText: "toast_text",
    QPalette.ColorRole.Light: "raised",
    QPalette.ColorRole.Midlight: "line",
    QPalette.ColorRole.Mid: "line2",
    QPalette.ColorRole.Dark: "edge",
    QPalette.ColorRole.Shadow: "ink3",
}

_SHEET = """
QToolTip { background: %(toast)s; color: %(toast_text)s; border: 0; padding: 5px 8px; }
QMenu { background: %(raised)s; border: 1px solid %(line2)s; border-radius: 8px; padding: 5px; }
QMenu::item { color: %(ink)s; padding: 6px 24px 6px 10px; border-radius: 6px; }
QMenu::item:selected { background: %(hover)s; }
QMenu::item:disabled { color: %(ink3)s; }
QMenu::separator { height: 1px; background: %(line)s; margin: 5px 4px; }
QMenu::icon { padding-left: 8px; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar::handle:vertical { background: %(line2)s; border-radius: 2px; min-height: 32px; margin: 2px 3px 2px 3px; }
QScrollBar::handle:vertical:hover { background: %(edge)s; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle:horizontal { background: %(line2)s; border-radius: 2px; min-width: 32px; margin: 3px 2px 3px 2px; }
QScrollBar::handle:horizontal:hover { background: %(edge)s; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QComboBox QAbstractItemView { background: %(raised)s; color: %(ink)s; border: 1px solid %(line2)s; outline: 0;
  selection-background-color: %(hover)s; selection-color: %(ink)s; }
QLineEdit { background: %(raised)s; color: %(ink)s; border: 1px solid %(line2)s; border-radius: 8px; padding: 0 9px;
  min-height: 32px; max-height: 32px; selection-background-color: %(selection)s; selection-color: %(ink)s;
  placeholder-text-color: %(ink3)s; }
QLineEdit:focus { border-color: %(edge)s; }
QLineEdit:disabled { color: %(ink3)s; }
QPlainTextEdit#field { background: %(raised)s; color: %(ink)s; border: 1px solid %(line2)s; border-radius: 8px;
  padding: 4px 5px; selection-background-color: %(selection)s; selection-color: %(ink)s;
  placeholder-text-color: %(ink3)s; }
QPlainTextEdit#field:focus { border-color: %(edge)s; }
QAbstractScrollArea#bare, QScrollArea#bare, QScrollArea#bare > QWidget > QWidget { background: transparent; border: 0; }
"""


def prepare(application: QApplication, theme: Theme) -> None:
    """Chooses palette and font, for an application made with ARGUMENTS. The sheet comes with `follow`, once the widgets
    are there."""
    _paint_with(application, theme)


def follow(application: QApplication, theme: Theme) -> None:
    """Puts the style sheet on everything made so far, and does all again whenever the theme changes.

    A sheet that is there before the widgets makes each of them be polished again with every new parent: half of the
    time it takes to build a window.
    """
    application.setStyleSheet(_SHEET % _values(theme))
    theme.changed.connect(lambda: _change(application, theme))


def install(application: QApplication, theme: Theme) -> None:
    """Style, palette, font and sheet at once, where time does not matter."""
    application.setStyle(_STYLE)
    prepare(application, theme)
    follow(application, theme)


def _change(application: QApplication, theme: Theme) -> None:
    sheet = _SHEET % _values(theme)
    if sheet != application.styleSheet():
        _paint_with(application, theme)
        application.setStyleSheet(sheet)


def _paint_with(application: QApplication, theme: Theme) -> None:
    palette = QPalette()
    for role, name in _ROLES.items():
        palette.setColor(role, theme.colour(name))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, theme.colour("ink3"))
    application.setPalette(palette)
    application.setFont(theme.font("secondary"))


def _values(theme: Theme) -> dict[str, str]:
    return tokens.NIGHT if theme.dark else tokens.PAPER
