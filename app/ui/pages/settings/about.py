"""What this is, what it is made of, where its data lies, and how to report a fault."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from app.base.version import VERSION
from app.ui import words
from app.ui.pages.settings.leaving import LeavingRows
from app.ui.pages.settings.parts import Section
from app.ui.ports import JobsPort, LeavingPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.labels import Label, Paragraph


class AboutSection(Section):
    """Facts, and at the end the way out."""

    diagnostics_requested = Signal()

    def __init__(
        self, theme: Theme, data: Path, leaving: Callable[[], LeavingPort], jobs: JobsPort, *, has_starter: bool
    ) -> None:
        super().__init__("About", theme)
        self.add_row("Inglenook", f"Version {VERSION}, MIT licence")
        python = ".".join(str(part) for part in sys.version_info[:3])
        qt = QLibraryInfo.version().toString()
        self.add_row("Made with", f"Python {python}, Qt {qt} (LGPL), llama.cpp (MIT) on {platform.system()}")
        if has_starter:
            self.add_row(
                "Starter model",
                f"{words.STARTER_ORIGIN}. It is small: quick on any computer, often wrong about facts.",
            )
        self.add_row(
            "Privacy",
            "Models run here, conversations are kept here, and there is no telemetry. The page Privacy lists whatever "
            "goes over the network.",
        )
        show = Button("Show in files", theme)
        show.setAccessibleName("Show the data folder in files")
        show.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(data))))
        self.add_row("Data folder", "Conversations, settings and logs", show, line=False)
        place = Label(str(data), theme, "code", "ink2", elide=True)
        self.add_block(place, above=0)
        copy = Button("Copy diagnostics", theme)
        copy.set_icon_name("copy")
        copy.clicked.connect(self.diagnostics_requested)
        self.add_row("Something wrong?", "", copy, line=False)
        self.add_block(
            Paragraph("Diagnostics hold versions, devices and the log. They hold nothing you or a model wrote.", theme),
            above=0,
        )
        self.leaving = LeavingRows(self, theme, leaving, jobs)
        self.finish()
