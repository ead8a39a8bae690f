"""The settings, what is left behind, and the privacy page."""

from __future__ import annotations

import time

import msgspec

from app.services.errors import InUse
from app.services.leaving import IN_USE
from tests.screenshots import content
from tests.screenshots.stage import Scene, Stage, settle
from tests.support.fake_plans import CARD, OTHER


def settings_general(stage: Stage) -> None:
    stage.window.show_settings("general")


def settings_appearance(stage: Stage) -> None:
    stage.window.show_settings("appearance")


def settings_conversations(stage: Stage) -> None:
    """What is kept of conversations, with a change that is not in use yet."""
    stage.application.loading.outdated = True
    stage.application.settings.change("cache.parallel", 2)
    stage.window.show_settings("conversations")


def settings_models(stage: Stage) -> None:
    """Further folders, one of them away, a single file, and what other programs hold."""
    stage.application.library.models = content.shelf()
    change = stage.application.settings.change
    change("models.folders", ("/home/me/models-of-the-office", "/media/archive"))
    change("models.files", ("/home/me/Downloads/phi-4-mini.gguf",))
    change("models.hugging_face", False)
    stage.window.show_settings("models")


def settings_hardware(stage: Stage) -> None:
    """A card, another computer that answers, one that does not."""
    plans = stage.application.plans
    plans.computer = msgspec.structs.replace(plans.computer, devices=(CARD, OTHER), on_battery=True)
    stage.application.settings.change("engine.workers", ("192.168.1.20:50052", "localhost:50053"))
    stage.window.show_settings("hardware")


def settings_hardware_end(stage: Stage) -> None:
    """The lower half: other computers."""
    settings_hardware(stage)
    settle()
    bar = stage.window.settings._scrolls["hardware"].verticalScrollBar()
    bar.setValue(bar.maximum())


def settings_hardware_plain(stage: Stage) -> None:
    """Nothing but a processor."""
    stage.window.show_settings("hardware")


def settings_network(stage: Stage) -> None:
    stage.application.settings.change("network.ca_file", "/etc/ssl/office/proxy-authority.pem")
    stage.window.show_settings("network")
    stage.window.settings.network.check.click()


def settings_about(stage: Stage) -> None:
    stage.window.show_settings("about")


def settings_leaving(stage: Stage) -> None:
    stage.window.show_settings("about")
    stage.window.settings.about.leaving.look()


def settings_leaving_refused(stage: Stage) -> None:
    """Another process uses the data."""
    settings_leaving(stage)
    stage.application.leaving.refuse = InUse(IN_USE)
    settle()
    stage.window.settings.about.leaving.remove.click()


def privacy(stage: Stage) -> None:
    stage.application.network.entries = content.ledger(int(time.time() * 1000))
    stage.window.show_privacy()


def privacy_online(stage: Stage) -> None:
    stage.application.network.become(online=True)
    privacy(stage)
    stage.window.visits.privacy.choice.choose("refused")
    stage.window.visits.privacy.reload()


def privacy_forced(stage: Stage) -> None:
    stage.application.network.become(online=False, forced_by="--offline")
    stage.window.show_privacy()


SCENES: tuple[Scene, ...] = (
    settings_general,
    settings_appearance,
    settings_conversations,
    settings_models,
    settings_hardware,
    settings_hardware_end,
    settings_hardware_plain,
    settings_network,
    settings_about,
    settings_leaving,
    settings_leaving_refused,
    privacy,
    privacy_online,
    privacy_forced,
)
