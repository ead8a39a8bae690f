"""The upper part of a model's page: its name, who made it, what it is good for, its licence in plain words, facts."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.hub.values import ModelPage, ModelSummary
from app.ui import model_words, words
from app.ui.components.models.facts import Facts
from app.ui.components.models.wishes import Wishes
from app.ui.models.results import Row
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.labels import Label, Paragraph


class Head(QWidget):
    """Shows a row at once, and the whole page when it is there."""

    def __init__(self, theme: Theme, wishes: Wishes) -> None:
        super().__init__()
        self._web, self._terms = "", ""
        self.title = Label("", theme, "model_title", "ink", elide=True)
        self.on_web = Button("Model card", theme, QUIET)
        self.on_web.set_icon_name("arrow-up-right")
        self.on_web.clicked.connect(lambda: wishes.link_wanted.emit(self._web))
        self.about_it = Paragraph("", theme, "secondary", "ink2")
        self.good = Paragraph("", theme, "body", "ink")
        self.facts = Facts(theme, "Parameters", "Context", "Architecture", "Good for", "Made from")
        self.terms = Paragraph("", theme, "secondary", "ink2")
        self.read_terms = Button("Read the licence", theme, QUIET)
        self.read_terms.set_accent(True)
        self.read_terms.clicked.connect(lambda: wishes.link_wanted.emit(self._terms))
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.title, 1)
        top.addWidget(self.on_web, 0, Qt.AlignmentFlag.AlignVCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.about_it)
        column.addSpacing(10)
        column.addWidget(self.good)
        column.addSpacing(14)
        column.addWidget(self.facts)
        column.addSpacing(14)
        column.addWidget(self.terms)
        column.addWidget(self.read_terms)

    def show_row(self, row: Row, web: str, licence: str) -> None:
        """What the list knows of it."""
        self._web = web
        self.title.setText(row.name)
        self.about_it.setText(model_words.joined(row.maker, licence))
        able = model_words.abilities(row.capabilities)
        self.good.setText(row.line if row.choice is not None else able)
        self._show_summary(row.summary)
        self._show_terms("", "")

    def show_page(self, page: ModelPage, row: Row, web: str) -> None:
        """What its repository says."""
        summary = page.summary
        self._web = web
        uploader = "" if row.choice is None else f"uploaded by {summary.author}"
        self.about_it.setText(
            model_words.joined(
                row.maker if row.choice is not None else summary.author,
                model_words.month_words(summary.updated_ms),
                page.license_name,
                uploader,
                model_words.popularity(summary),
            )
        )
        self._show_summary(summary)
        self._show_terms(page.license_words, page.license_link)

    def _show_summary(self, summary: ModelSummary) -> None:
        context = summary.context_length
        self.facts.show_facts(
            {
                "Parameters": model_words.parameters_words(summary.params),
                "Context": f"up to {words.context_short(context)}" if context else "",
                "Architecture": summary.architecture,
                "Good for": model_words.good_for(summary.capabilities),
                "Made from": model_words.model_name(summary.base_model) if summary.base_model else "",
            }
        )
        for paragraph in (self.good, self.about_it):
            paragraph.setVisible(bool(paragraph.text()))
            paragraph.updateGeometry()

    def _show_terms(self, text: str, link: str) -> None:
        self._terms = link
        self.terms.setText(text)
        self.terms.setVisible(bool(text))
        self.terms.updateGeometry()
        self.read_terms.setVisible(bool(link))
