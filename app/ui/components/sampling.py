"""The sliders and presets that shape how a reply is drawn. Speaks in Sampling values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from PySide6.QtCore import QRegularExpression, Qt, QTimer, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.engine.values import Sampling
from app.ui.theme.theme import Theme
from app.ui.widgets.controls import Segmented, Slider
from app.ui.widgets.labels import Label

TELL_AFTER_MS = 250

PRESETS: dict[str, tuple[str, dict[str, float]]] = {
    "precise": ("Precise", {"temperature": 0.2, "top_p": 0.9, "min_p": 0.05, "top_k": 40}),
    "balanced": ("Balanced", {"temperature": 0.7, "top_p": 0.95, "min_p": 0.05, "top_k": 40}),
    "inventive": ("Inventive", {"temperature": 1.1, "top_p": 0.98, "min_p": 0.02, "top_k": 100}),
}


def preset_of(sampling: Sampling) -> str:
    """The preset these values are, or an empty string."""
    for key, (_, values) in PRESETS.items():
        if all(abs(getattr(sampling, name) - value) < 1e-6 for name, value in values.items()):
            return key
    return ""


@dataclass(frozen=True)
class Scale:
    """How a number stands on a slider: steps of `step` from `least`, written by `say`."""

    label: str
    help: str
    least: float
    most: float
    step: float
    say: Callable[[float], str]

    @property
    def steps(self) -> int:
        return round((self.most - self.least) / self.step)

    def to_step(self, value: float) -> int:
        return min(self.steps, max(0, round((value - self.least) / self.step)))

    def to_value(self, step: int) -> float:
        return round(self.least + step * self.step, 6)


def _two(value: float) -> str:
    return f"{value:.2f}"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _off_at(off: float, word: str, say: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: word if value == off else say(value)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


SCALES: dict[str, Scale] = {
    "temperature": Scale(
        "Temperature", "Higher is more surprising; 0 always takes the likeliest word", 0, 2, 0.05, _two
    ),
    "top_p": Scale(
        "Top-p", "Keeps the likeliest tokens that together reach this share", 0.05, 1, 0.01, _off_at(1, "Off", _two)
    ),
    "min_p": Scale(
        "Min-p",
        "Leaves out what is less likely than this share of the likeliest",
        0,
        0.5,
        0.01,
        _off_at(0, "Off", _two),
    ),
    "top_k": Scale("Top-k", "Considers only this many of the likeliest tokens", 0, 200, 5, _off_at(0, "Off", _whole)),
    "repeat": Scale("Repeat", "Above 1 makes recent words less likely", 1, 1.5, 0.01, _off_at(1, "Off", _two)),
    "frequency": Scale(
        "Frequency", "Above 0 makes a word less likely each time it was used", -2, 2, 0.05, _off_at(0, "Off", _signed)
    ),
    "presence": Scale(
        "Presence", "Above 0 makes a word less likely once it was used at all", -2, 2, 0.05, _off_at(0, "Off", _signed)
    ),
    "max_tokens": Scale("Longest reply", "In tokens", 0, 8192, 128, _off_at(0, "No limit", _whole)),
}


class SamplingControls(QWidget):
    """Tells `sampling_changed` a moment after the last movement."""

    sampling_changed = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = self._suggested = Sampling()
        self._quiet = False
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(TELL_AFTER_MS)
        self._wait.timeout.connect(self.flush)
        self.presets = Segmented("Preset", {key: word for key, (word, _) in PRESETS.items()}, theme)
        self.presets.chosen.connect(self._choose_preset)
        self.sliders: dict[str, Slider] = {}
        self._numbers: dict[str, Label] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        widest = Label("No limit", theme, "row_selected", "ink").sizeHint().width()
        for row, (name, scale) in enumerate(SCALES.items()):
            label = Label(scale.label, theme, "row", "ink2")
            label.setToolTip(scale.help)
            slider = Slider(scale.label, theme)
            slider.setRange(0, scale.steps)
            if scale.least < 0:
                slider.set_origin(scale.to_step(0))
            slider.setPageStep(max(1, scale.steps // 10))
            slider.setAccessibleDescription(scale.help)
            slider.setToolTip(scale.help)
            slider.valueChanged.connect(lambda step, name=name: self._moved(name, step))
            number = Label("", theme, "row_selected", "ink")
            number.setAlignment(Qt.AlignmentFlag.AlignRight)
            number.setFixedWidth(widest)
            self.sliders[name], self._numbers[name] = slider, number
            grid.addWidget(label, row, 0)
            grid.addWidget(slider, row, 1)
            grid.addWidget(number, row, 2)
        self.seed = QLineEdit()
        self.seed.setPlaceholderText("A fresh one each time")
        self.seed.setAccessibleName("Seed")
        self.seed.setToolTip("The same seed repeats the same draws; empty draws a fresh one")
        self.seed.setFont(theme.font("secondary"))
        self.seed.setValidator(QRegularExpressionValidator(QRegularExpression("[0-9]{0,9}"), self.seed))
        self.seed.textEdited.connect(self._seeded)
        row = len(SCALES)
        grid.addWidget(Label("Seed", theme, "row", "ink2"), row, 0)
        grid.addWidget(self.seed, row, 1, 1, 2)
        presets = QHBoxLayout()
        presets.addWidget(self.presets)
        presets.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        column.addLayout(presets)
        column.addLayout(grid)
        self.show_value(Sampling(), Sampling())

    def show_value(self, value: Sampling, suggested: Sampling) -> None:
        """Shows values without telling; ticks stand at the suggested ones."""
        self._quiet = True
        self._value, self._suggested = value, suggested
        for name, scale in SCALES.items():
            number = float(getattr(value, name))
            self.sliders[name].setValue(scale.to_step(number))
            self.sliders[name].set_suggested(scale.to_step(float(getattr(suggested, name))))
            self._say(name, number)
        self.seed.setText("" if value.seed is None else str(value.seed))
        self.presets.choose(preset_of(value))
        self._quiet = False

    def drop(self) -> None:
        """Forgets what waits to be told."""
        self._wait.stop()

    def flush(self) -> None:
        """Tells the values now."""
        self._wait.stop()
        self.sampling_changed.emit(self._value)

    @property
    def waiting(self) -> bool:
        """Whether a movement was not told yet."""
        return self._wait.isActive()

    def _say(self, name: str, number: float) -> None:
        scale = SCALES[name]
        self._numbers[name].setText(scale.say(number))
        self.sliders[name].setAccessibleName(f"{scale.label}: {scale.say(number)}")

    def _moved(self, name: str, step: int) -> None:
        if self._quiet:
            return
        number = SCALES[name].to_value(step)
        whole = name in ("top_k", "max_tokens")
        self._value = msgspec.structs.replace(self._value, **{name: int(number) if whole else number})
        self._say(name, number)
        self.presets.choose(preset_of(self._value))
        self._wait.start()

    def _seeded(self, text: str) -> None:
        self._value = msgspec.structs.replace(self._value, seed=int(text) if text else None)
        self._wait.start()

    def _choose_preset(self, key: str) -> None:
        values = {name: int(v) if name == "top_k" else v for name, v in PRESETS[key][1].items()}
        self.show_value(msgspec.structs.replace(self._value, **values), self._suggested)
        self._wait.start()
