"""Models: finding them on the Hub, the library, downloads, and how one is loaded."""

from __future__ import annotations

import time

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.engine.hardware import Device, DeviceSpeed
from app.hub.values import Capability
from app.services.changes import DownloadProgressed, EngineState
from tests.screenshots import content
from tests.screenshots.stage import Scene, Stage, settle
from tests.support.fake_plans import CARD, OTHER


def models_first(stage: Stage) -> None:
    """The first choices, before anybody went online."""
    stage.window.show_models()


def models_offline(stage: Stage) -> None:
    """Offline on purpose."""
    stage.application.network.become(online=False)
    stage.window.show_models()
    stage.window.visits.models.find_tab.search.field.setText("gemma")
    stage.window.visits.models.find_tab.search.look()


def models_found(stage: Stage) -> None:
    """A search, and one of its models."""
    application = stage.application
    application.network.become(online=True)
    stage.window.show_models()
    search = stage.window.visits.models.find_tab.search
    search.field.setText("qwen")
    search.look()
    application.browsing.answer(*content.found())
    search.list.step(1)
    application.browsing.show(content.repository(), content.CARD, "unsloth/Qwen3-8B-GGUF")


def models_chosen(stage: Stage) -> None:
    """A first choice with its versions."""
    stage.application.network.become(online=True)
    stage.window.show_models()
    search = stage.window.visits.models.find_tab.search
    search.list.setCurrentIndex(search.model.index(search.model.row_of("Qwen/Qwen3-8B-GGUF")))
    stage.application.browsing.show(content.repository(), content.CARD)


def models_card(stage: Stage) -> None:
    """The card below the versions."""
    models_chosen(stage)
    settle()
    detail = stage.window.visits.models.find_tab.detail
    detail.verticalScrollBar().setValue(detail.verticalScrollBar().maximum())


def models_filters(stage: Stage) -> None:
    models_found(stage)
    search = stage.window.visits.models.find_tab.search
    search.filters.chips[Capability.TOOLS].setChecked(True)
    search.filters.open_further()


def models_refused(stage: Stage) -> None:
    """Asked too often, and a model that is given on request."""
    models_found(stage)
    browsing = stage.application.browsing
    browsing.fail("rate_limited", "Hugging Face was asked too often. Try again in 5 minutes.")
    search = stage.window.visits.models.find_tab.search
    search.list.step(1)
    browsing.refuse_model(
        "ggml-org/gemma-3-12b-it-GGUF",
        "ask_for_access",
        "ggml-org/gemma-3-12b-it-GGUF is given to those who accept its terms. Open the model's page and ask for "
        "access, then try again.",
        link="https://huggingface.co/ggml-org/gemma-3-12b-it-GGUF",
    )


def models_mirror(stage: Stage) -> None:
    """A mirror that does not get the access token, and a first choice whose version is gone."""
    application = stage.application
    application.network.become(online=True)
    application.network.endpoint, application.network.token_goes_to_hub = "https://mirror.example", False
    stage.window.show_models()
    search = stage.window.visits.models.find_tab.search
    search.list.setCurrentIndex(search.model.index(search.model.row_of("Qwen/Qwen3-8B-GGUF")))
    page = content.repository()
    left = tuple(one for one in page.variants if one.label != "Q4_K_M")
    gated = msgspec.structs.replace(page.summary, gated="manual")
    application.browsing.show(msgspec.structs.replace(page, summary=gated, variants=left), content.CARD)


def models_gone(stage: Stage) -> None:
    """A first choice that is not there any more."""
    stage.application.network.become(online=True)
    stage.window.show_models()
    search = stage.window.visits.models.find_tab.search
    search.list.setCurrentIndex(search.model.index(search.model.row_of("Qwen/Qwen3-8B-GGUF")))
    stage.application.browsing.refuse_model("Qwen/Qwen3-8B-GGUF", "not_on_hub", "It is not there.")


def models_library(stage: Stage) -> None:
    stage.application.library.models = content.shelf()
    stage.application.adapters.files = content.adapters()[::2]
    stage.window.show_models("library")


def models_away(stage: Stage) -> None:
    models_library(stage)
    tab = stage.window.visits.models.library_tab
    tab.list.setCurrentIndex(tab.model.index(3))


def models_downloads(stage: Stage) -> None:
    application = stage.application
    application.network.become(online=True)
    application.settings.change("downloads.limit_bytes_per_s", 12_000_000)
    application.downloading.become(*content.downloads(int(time.time() * 1000)))
    stage.window.apply(
        DownloadProgressed(
            id="d0", done_bytes=3_117_000_000, size_bytes=5_027_000_000, bytes_per_s=11_800_000, remaining_s=162
        )
    )
    stage.window.show_models("downloads")


def models_no_downloads(stage: Stage) -> None:
    stage.window.show_models("downloads")


def _plan(stage: Stage, *devices: Device) -> None:
    """How a model is loaded, on a computer with these devices besides its processor."""
    plans = stage.application.plans
    speeds = tuple(
        DeviceSpeed(name=device.name, bandwidth_bytes_per_s=2.4e11, compute_flops=1.2e13) for device in devices
    )
    plans.computer = msgspec.structs.replace(plans.computer, devices=devices, speeds=speeds)
    stage.application.library.models = [content.large(), *content.shelf()]
    stage.window.visits.show_plan("large")


def plan(stage: Stage) -> None:
    """A part of the layers on a card, the slider of the context in the keyboard's hand."""
    _plan(stage, CARD)
    page = stage.window.visits.plan
    page.controls.context.setFocus()
    page.controls.context.setProperty("keyboard", True)
    QTest.keyClick(page.controls.context, Qt.Key.Key_Right)


def plan_memory(stage: Stage) -> None:
    """No card."""
    stage.window.visits.show_plan("starter")


def plan_two(stage: Stage) -> None:
    """A card here and one in another computer."""
    _plan(stage, CARD, OTHER)


def plan_too_large(stage: Stage) -> None:
    """More on the card than it holds, at a model with experts."""
    stage.application.plans.n_expert_layers = 32
    _plan(stage, CARD)
    page = stage.window.visits.plan
    page.controls.layers["CUDA0"].setValue(32)
    page.controls.layers["CUDA0"].setValue(33)
    page.controls.context.setValue(page.controls.context.maximum())


def plan_stepped(stage: Stage) -> None:
    """The full plan failed the last time."""
    stage.application.plans.stepped_down = "24 of 41 layers on the card instead of 28: it ran out of memory."
    _plan(stage, CARD)


def plan_loading(stage: Stage) -> None:
    """Being loaded."""
    _plan(stage, CARD)
    stage.application.loading.become(
        EngineState.LOADING, content.large(), fraction=0.31, done_bytes=2_790_000_000, total_bytes=9_000_000_000
    )


def plan_refused(stage: Stage) -> None:
    """It would push the system into swap."""
    _plan(stage, CARD)
    stage.application.loading.become(
        EngineState.FAILED,
        content.large(),
        sentence="It needs 9.1 GB of memory and 6.4 GB are free; 2.7 GB of other programs would go to the disk.",
        can_insist=True,
    )


def plan_unknown(stage: Stage) -> None:
    """Nothing is known."""
    stage.application.plans.unknown = True
    _plan(stage)


SCENES: tuple[Scene, ...] = (
    models_first,
    models_offline,
    models_found,
    models_chosen,
    models_card,
    models_filters,
    models_refused,
    models_mirror,
    models_gone,
    models_library,
    models_away,
    models_downloads,
    models_no_downloads,
    plan,
    plan_memory,
    plan_two,
    plan_too_large,
    plan_stepped,
    plan_loading,
    plan_refused,
    plan_unknown,
)
