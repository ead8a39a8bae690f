"""Settings, Hardware: what the computer has, how models use it, and other computers."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.base.errors import InglenookError
from app.services.changes import EngineState, MachineMeasured
from app.ui.pages.settings.hardware import WRONG, HardwareSection, is_endpoint
from app.ui.window import Window
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter
from tests.support.fake_plans import CARD, OTHER


@pytest.fixture
def section(window: Window) -> HardwareSection:
    window.show_settings("hardware")
    return window.settings.hardware


def facts(section: HardwareSection) -> dict[str, str]:
    return {name: fact.value.text() for name, fact in section.facts.facts.items() if fact.isVisible()}


def test_what_the_computer_has(section: HardwareSection, application: FakeApplication) -> None:
    assert [picture.title.text() for picture in section.pictures.shown] == ["Memory"]
    assert facts(section) == {"Cores": "6 of 12", "Swap": "100 MB of 8.0 GB taken", "Memory speed": "42 GB/s"}
    application.plans.computer = msgspec.structs.replace(
        application.plans.computer, devices=(CARD, OTHER), on_battery=True, swap_total_bytes=0, measured_ms=0
    )
    application.loading.become(EngineState.READY, starter())  # an engine has started: it knows the devices
    shown = [(picture.title.text(), picture.whole.text()) for picture in section.pictures.shown]
    assert shown == [
        ("GeForce RTX 4060 Laptop", "8.0 GB"),
        ("Radeon RX 7600", "8.0 GB on 192.168.1.20"),
        ("Memory", "34 GB"),
    ]
    assert facts(section) == {"Cores": "6 of 12", "Swap": "None", "Power": "On battery"}
    assert section.measure.text() == "Measure"


def test_a_card_without_memory_of_its_own_is_part_of_the_memory(
    section: HardwareSection, application: FakeApplication
) -> None:
    shared = msgspec.structs.replace(CARD, kind="igpu", description="Iris Xe")
    application.plans.computer = msgspec.structs.replace(application.plans.computer, devices=(shared,))
    section.ask()
    assert [picture.whole.text() for picture in section.pictures.shown] == ["34 GB shared with Iris Xe"]


def test_measuring_again(section: HardwareSection, application: FakeApplication) -> None:
    before = application.fitting.prepared
    section.measure.click()
    assert application.fitting.prepared == before + 1
    assert (section.measure.text(), section.measure.isEnabled()) == ("Measuring…", False)
    application.publisher.publish(MachineMeasured())
    assert (section.measure.text(), section.measure.isEnabled()) == ("Measure again", True)


def test_how_models_use_it(section: HardwareSection, application: FakeApplication) -> None:
    def engine() -> object:
        return application.settings.current.engine

    section.preference._buttons["longest"].click()
    section.unload.choose("0")
    section.mapped._buttons["never"].click()
    section.locked.click()
    wanted = {"preference": "longest", "unload_minutes": 0, "mmap": "never", "use_mlock": True}
    assert {name: getattr(engine(), name) for name in wanted} == wanted
    application.settings.change("engine.unload_minutes", 45)
    assert section.unload.currentText() == "45 minutes"
    assert section.unload.itemText(section.unload.count() - 1) == "Never"


def test_other_computers(section: HardwareSection, application: FakeApplication, window: Window) -> None:
    application.plans.computer = msgspec.structs.replace(application.plans.computer, devices=(OTHER,))
    assert section.workers.nothing.isVisible()
    QTest.keyClicks(section.address, "192.168.1.20")
    section.add.click()
    assert section._wrong.text() == WRONG
    QTest.keyClicks(section.address, ":50052")
    assert section._wrong.text() == ""
    QTest.keyClick(section.address, Qt.Key.Key_Return)
    assert application.settings.current.engine.workers == ("192.168.1.20:50052",)
    assert section.address.text() == ""
    assert [row.entry.words for row in section.workers.rows] == ["7.1 GB free"]
    assert not section._line.isVisible()
    application.plans.line = "192.168.1.21:50052 does not answer."
    section.look()
    assert section._line.text() == "192.168.1.21:50052 does not answer."
    section.workers.rows[0].remove.click()
    assert application.settings.current.engine.workers == ()
    window.settings.toast.take_back()
    assert application.settings.current.engine.workers == ("192.168.1.20:50052",)


def test_a_machine_that_cannot_be_read_is_said(
    section: HardwareSection, application: FakeApplication, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise InglenookError("The engine does not answer.")

    monkeypatch.setattr(application.plans, "devices", refuse)
    section.ask()
    assert window.settings.toast._text == "The engine does not answer."


@pytest.mark.parametrize("text", ["localhost:50052", "192.168.1.20:1", "gpu-box.local:65535"])
def test_endpoints(text: str) -> None:
    assert is_endpoint(text)


@pytest.mark.parametrize("text", ["", "localhost", ":50052", "a b:1", "host:0", "host:65536", "host:x", "fe80::1:5x",
                                  "fe80::1:50052", "[fe80::1]:50052", "host:٥", "http://host:80", "[]:1"])  # fmt: skip
def test_no_endpoints(text: str) -> None:
    assert not is_endpoint(text)
