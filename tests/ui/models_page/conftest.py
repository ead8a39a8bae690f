"""The models page: as it opens, online, with a model chosen, with a library, with downloads."""

from __future__ import annotations

import pytest

from app.ui.pages.models.page import ModelsPage
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication
from tests.ui.models_page.looking import NOW_MS, REPO, choose


@pytest.fixture
def page(window: Window) -> ModelsPage:
    window.show_models()
    return window.visits.models


@pytest.fixture
def online(window: Window, application: FakeApplication) -> ModelsPage:
    application.network.become(online=True)
    window.show_models()
    return window.visits.models


@pytest.fixture
def opened(online: ModelsPage, application: FakeApplication) -> ModelsPage:
    """A first choice whose repository answered."""
    choose(online, REPO)
    application.browsing.show(content.repository(), content.CARD)
    return online


@pytest.fixture
def shelf(window: Window, application: FakeApplication) -> ModelsPage:
    application.library.models = content.shelf()
    window.show_models("library")
    return window.visits.models


@pytest.fixture
def queue(window: Window, application: FakeApplication) -> ModelsPage:
    application.network.become(online=True)
    application.downloading.become(*content.downloads(NOW_MS))
    window.show_models("downloads")
    return window.visits.models
