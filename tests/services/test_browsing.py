"""Looking around: the newest wish wins, answers come as changes, silence and refusals end in a state."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.base.paths import find_places, resources
from app.bootstrap import build
from app.engine.command import fake_command
from app.hub.catalog import Catalog
from app.hub.client import HubClient
from app.hub.errors import NotFound
from app.hub.families import family
from app.hub.licences import Licences
from app.hub.names import is_repo, quantization
from app.hub.values import Capability, SearchQuery, Sort
from app.privacy.errors import Offline
from app.privacy.gate import Gate
from app.privacy.policy import Action, Policy
from app.services.browsing import THREADS, WANTED, Browsing
from app.services.changes import (
    CardAnswered,
    Change,
    ModelAnswered,
    ModelFailed,
    Publisher,
    SearchAnswered,
    SearchFailed,
)
from app.services.errors import NoSuchThing
from app.services.jobs import Jobs
from tests.support.application import Recorder
from tests.support.hub.files import Answer
from tests.support.hub.samples import crowd, qwen
from tests.support.hub.server import GOOD_TOKEN, Hub


class Front:
    """What a window would see."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.online = True
        self.changes: list[Change] = []
        self.actions: list[Action] = []
        self._came = threading.Condition()
        publisher = Publisher()
        publisher.subscribe(self._took)
        self.jobs = Jobs()
        self.gate = Gate(
            lambda: Policy(online=self.online, hub=hub.url, token_hosts=(hub.url.removeprefix("http://"),)),
            on_action_ended=self.actions.append,
        )
        licences = Licences(resources())
        catalog = Catalog(HubClient(self.gate, lambda: hub.url), licences)
        self.browsing = Browsing(catalog, licences, self.gate, publisher, self.jobs, resources())

    def _took(self, change: Change) -> None:
        with self._came:
            self.changes.append(change)
            self._came.notify_all()

    def wait(self, told: Callable[[list[Change]], Any]) -> Any:
        with self._came:
            assert self._came.wait_for(lambda: told(self.changes), 20), self.changes
            return told(self.changes)

    def done(self, number: int) -> list[SearchAnswered]:
        """The answers of a search once its turn is over."""

        def told(changes: list[Change]) -> list[SearchAnswered]:
            answers = [one for one in changes if isinstance(one, SearchAnswered) and one.number == number]
            return answers if answers and answers[-1].done else []

        answers: list[SearchAnswered] = self.wait(told)
        return answers

    def close(self) -> None:
        self.browsing.close()
        self.gate.close()
        self.jobs.close()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    with Hub([qwen(tmp_path), *crowd(120)]) as hub:
        made = Front(hub)  # type: ignore[arg-type]
        yield made
        made.close()


def test_a_search_answers_by_pages(front: Front) -> None:
    number = front.browsing.search(SearchQuery(sort=Sort.DOWNLOADS))
    (answer,) = front.done(number)
    assert answer.first
    assert answer.more
    assert len(answer.models) == 50
    seen = [model.repo for model in answer.models]
    while front.changes[-1].more:  # type: ignore[union-attr]
        before = len(front.changes)
        assert front.browsing.more()
        front.wait(lambda changes, before=before: len(changes) > before and changes[-1].done)
        seen += [model.repo for model in front.changes[-1].models]  # type: ignore[union-attr]
        assert not front.changes[-1].first  # type: ignore[union-attr]
    assert len(seen) == len(set(seen)) == 121
    assert not front.browsing.more()


def test_more_is_asked_for_once_at_a_time(front: Front) -> None:
    assert not front.browsing.more()
    front.done(front.browsing.search(SearchQuery()))
    with front.hub.hold("cursor="):
        assert front.browsing.more()
        assert not front.browsing.more()
        front.hub.wait_for(lambda hub: len(hub.seen) == 2)
    front.wait(lambda changes: len(changes) == 2)
    assert len(front.hub.seen) == 2


def test_the_newest_search_wins(front: Front) -> None:
    with front.hub.hold("search=gemma"):
        slow = front.browsing.search(SearchQuery(text="gemma"))
        front.hub.wait_for(lambda hub: len(hub.seen) == 1)
        quick = front.browsing.search(SearchQuery(text="qwen"))
        (answer,) = front.done(quick)
        assert [model.repo for model in answer.models] == ["acme/Qwen3-8B-GGUF"]
    front.done(front.browsing.search(SearchQuery(text="phi")))
    assert all(change.number != slow for change in front.changes)  # type: ignore[union-attr]
    assert [action.what for action in front.actions if "gemma" in action.what] == ["Search for “gemma”"]


def test_many_searches_at_once_leave_only_the_last(front: Front) -> None:
    with front.hub.hold("search="):
        numbers = [front.browsing.search(SearchQuery(text=text)) for text in ("q", "qw", "qwe", "qwen", "qwen3")]
        front.hub.wait_for(lambda hub: any("search=qwen3" in one.path for one in hub.seen))
    (answer,) = front.done(numbers[-1])
    assert answer.number == numbers[-1]
    assert {change.number for change in front.changes} == {numbers[-1]}  # type: ignore[union-attr]


def test_typing_frees_what_waits_for_a_server(front: Front) -> None:
    """Kept connections too: with every thread held by a server that says nothing, a new search would have to wait."""
    with ThreadPoolExecutor(2 * THREADS) as several:
        with front.hub.hold("search=warm"):
            found = [several.submit(front.browsing.find, SearchQuery(text="warm")) for _ in range(2 * THREADS)]
            front.hub.wait_for(lambda hub: len(hub.asked("/api/models?filter=gguf&search=warm")) == 2 * THREADS)
        assert [one.result() for one in found] == [[]] * (2 * THREADS)
    with front.hub.hold("search=slow"):
        for count in range(1, 2 * THREADS + 1):
            front.browsing.search(SearchQuery(text=f"slow {count}"))
            front.hub.wait_for(lambda hub, count=count: len(hub.asked("/api/models?filter=gguf&search=slow")) == count)
        began = time.monotonic()
        front.done(front.browsing.search(SearchQuery(text="qwen")))
        assert time.monotonic() - began < 1


def test_a_search_that_was_given_up_says_nothing(front: Front) -> None:
    with front.hub.hold("/api/models"):
        front.browsing.search(SearchQuery(text="qwen"))
        front.hub.wait_for(lambda hub: len(hub.seen) == 1)
        front.browsing.stop_search()
    front.done(front.browsing.search(SearchQuery(text="phi")))
    assert len({change.number for change in front.changes}) == 1  # type: ignore[union-attr]


def test_rare_matches_are_looked_for_on_further_pages(front: Front) -> None:
    front.hub.repositories["acme/Qwen3-8B-GGUF"].trending = -1
    number = front.browsing.search(SearchQuery(family="Qwen", capabilities=(Capability.TOOLS,), text="-"))
    answers = front.done(number)
    assert [model.repo for answer in answers for model in answer.models] == ["acme/Qwen3-8B-GGUF"]
    assert not answers[-1].more
    assert len(front.hub.seen) == 3


def test_nothing_found_is_an_answer(front: Front) -> None:
    (answer,) = front.done(front.browsing.search(SearchQuery(text="no such model")))
    assert (answer.models, answer.first, answer.more, answer.done) == ((), True, False, True)


def test_pages_in_a_circle_come_to_an_end(front: Front) -> None:
    rows = json.dumps([{"id": "o/n", "tags": ["gguf"]}]).encode()
    link = '<{}/api/models?cursor={}>; rel="next"'
    front.hub.answers["/api/models"] = [
        Answer(200, {"Link": link.format(front.hub.url, "ab"[index % 2])}, rows) for index in range(50)
    ]
    answers = front.done(front.browsing.search(SearchQuery()))
    assert sum(len(answer.models) for answer in answers) == 1
    assert not answers[-1].more
    assert len(front.hub.seen) <= 4


def test_offline_is_told_and_nothing_is_sent(front: Front) -> None:
    front.online = False
    number = front.browsing.search(SearchQuery(text="x"))
    front.browsing.open_model("acme/Qwen3-8B-GGUF")
    front.wait(lambda changes: len(changes) == 2)
    failed = {type(change): change for change in front.changes}
    assert failed[SearchFailed].number == number  # type: ignore[union-attr]
    assert failed[SearchFailed].code == failed[ModelFailed].code == "offline"  # type: ignore[union-attr]
    assert not front.hub.seen


def test_the_limit_says_how_long(front: Front) -> None:
    front.hub.left = 0
    front.browsing.search(SearchQuery())
    failed = front.wait(lambda changes: changes and changes[-1])
    assert isinstance(failed, SearchFailed)
    assert (failed.code, failed.seconds) == ("rate_limited", 60)
    front.hub.left = 100
    front.done(front.browsing.search(SearchQuery()))


def test_a_page_that_fails_can_be_asked_for_again(front: Front) -> None:
    front.done(front.browsing.search(SearchQuery()))
    front.hub.answers["/api/models"] = [Answer(503)]
    assert front.browsing.more()
    front.wait(lambda changes: isinstance(changes[-1], SearchFailed))
    assert front.browsing.more()
    front.wait(lambda changes: isinstance(changes[-1], SearchAnswered) and len(changes) == 3)


def test_a_model_and_its_card(front: Front) -> None:
    front.browsing.open_model("acme/Qwen3-8B-GGUF")
    front.browsing.open_card("acme/Qwen3-8B-GGUF")
    front.wait(lambda changes: len(changes) == 2)
    answers = {type(change): change for change in front.changes}
    assert len(answers[ModelAnswered].page.variants) == 6  # type: ignore[union-attr]
    assert answers[CardAnswered].card.startswith("# Qwen3")  # type: ignore[union-attr]
    asked = len(front.hub.seen)
    front.browsing.open_model("acme/Qwen3-8B-GGUF")
    front.wait(lambda changes: len(changes) == 3)
    assert len(front.hub.seen) == asked
    front.browsing.open_model("acme/Qwen3-8B-GGUF", fresh=True)
    front.wait(lambda changes: len(changes) == 4)
    assert len(front.hub.seen) == asked + 1


def test_the_model_that_was_opened_last_wins(front: Front) -> None:
    with front.hub.hold("/api/models/acme"):
        front.browsing.open_model("acme/Qwen3-8B-GGUF")
        front.hub.wait_for(lambda hub: len(hub.seen) == 1)
        other = next(repo for repo in front.hub.repositories if repo.startswith("crowd"))
        front.browsing.open_model(other)
        front.wait(lambda changes: changes and changes[-1].repo == other)
    front.browsing.open_model("no/such")
    failed = front.wait(lambda changes: changes[-1] if isinstance(changes[-1], ModelFailed) else None)
    assert (failed.repo, failed.code, failed.card) == ("no/such", "not_on_hub", False)
    assert len(front.changes) == 2


def test_the_end_does_not_wait_for_a_silent_server(front: Front) -> None:
    with front.hub.hold("/api/"):
        front.browsing.search(SearchQuery())
        front.browsing.open_model("acme/Qwen3-8B-GGUF")
        front.hub.wait_for(lambda hub: len(hub.seen) == 2)
        front.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("inglenook-browsing")]
    assert not front.changes


def test_a_fault_of_our_own_ends_in_a_state(
    front: Front, monkeypatch: pytest.MonkeyPatch, expected_warnings: list[str]
) -> None:
    expected_warnings.append("browsing failed")
    monkeypatch.setattr("app.services.wishes.Results.take", lambda *_: 1 / 0)
    front.browsing.search(SearchQuery())
    failed = front.wait(lambda changes: changes and changes[-1])
    assert isinstance(failed, SearchFailed)
    assert failed.sentence.startswith("Something went wrong")


def test_for_the_command_line(front: Front) -> None:
    assert len(front.browsing.find(SearchQuery(), limit=70)) == 70
    assert len(front.browsing.find(SearchQuery(family="Phi"), limit=5)) == 5
    assert front.browsing.look("acme/Qwen3-8B-GGUF").summary.params == 8_190_735_360
    page = front.browsing.look("acme/Qwen3-8B-GGUF")
    assert front.browsing.pick(page).label == "Q4_K_M"
    assert front.browsing.pick(page, "bf16").label == "BF16"
    with pytest.raises(NoSuchThing, match="Q6_K"):
        front.browsing.pick(page, "Q7_K")
    assert front.browsing.read("acme/Qwen3-8B-GGUF").startswith("# Qwen3")
    commit = front.hub.repositories["acme/Qwen3-8B-GGUF"].commit
    assert front.browsing.newer("acme/Qwen3-8B-GGUF", commit) == ""
    with pytest.raises(NotFound):
        front.browsing.look("no/such")
    front.online = False
    with pytest.raises(Offline):
        front.browsing.find(SearchQuery())


def test_first_choices_need_nobody(front: Front) -> None:
    front.online = False
    everything = front.browsing.first_choices()
    assert [one.memory_bytes for one in everything] == sorted(one.memory_bytes for one in everything)
    for size in (4, 8, 16, 32, 64, 128):
        fitting = front.browsing.first_choices(size * 10**9)
        assert fitting
        assert all(one.memory_bytes <= size * 10**9 for one in fitting)
    licences = {licence.id for licence in front.browsing.licences()}
    for one in everything:
        assert is_repo(one.repo)
        assert one.license in licences
        assert quantization(f"x-{one.label}.gguf") == one.label
        assert family("", one.repo)
        assert one.size_bytes < one.memory_bytes * 0.75
        assert 3.5 < one.size_bytes * 8 / one.params < 9
        assert one.why.endswith(".")
        assert len(one.why) < 110
    assert not front.hub.seen


def test_a_version_that_is_not_there_is_said(front: Front) -> None:
    page = front.browsing.look("acme/Qwen3-8B-GGUF")
    with pytest.raises(NoSuchThing, match=r"acme/Qwen3-8B-GGUF has no Q7_K\. It has: .*Without a name Q4_K_M is taken"):
        front.browsing.pick(page, "Q7_K")
    with pytest.raises(NoSuchThing, match="has several that “K_” may mean"):
        front.browsing.pick(page, "K_")
    choice = front.browsing.first_choices()[0]
    moved = msgspec.structs.replace(
        page,
        summary=msgspec.structs.replace(page.summary, repo=choice.repo),
        variants=tuple(one for one in page.variants if one.label != choice.label),
    )
    with pytest.raises(NoSuchThing, match=f"has no {choice.label} any more, which was a first choice. It has"):
        front.browsing.pick(moved, choice.label)
    with pytest.raises(NoSuchThing, match="no model file"):
        front.browsing.pick(msgspec.structs.replace(page, variants=()), "Q4_K_M")


def test_in_the_whole_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hub([qwen(tmp_path)]) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
        application = build(find_places(tmp_path / "home"), engine_command=fake_command())
        recorder = Recorder()
        application.publisher.subscribe(recorder)
        application.browsing.search(SearchQuery())
        assert recorder.wait_for(SearchFailed).code == "offline"
        application.network.consent()
        number = application.browsing.search(SearchQuery())
        assert recorder.wait_for(SearchAnswered, lambda one: one.number == number).models[0].name == "Qwen3-8B-GGUF"
        assert application.account.words == "Logged in by HF_TOKEN"
        assert application.browsing.look("acme/Qwen3-8B-GGUF").variants
        application.settings.change("network.token_hosts", (hub.url.removeprefix("http://"),))
        assert application.browsing.look("acme/Qwen3-8B-GGUF").variants
        application.close()
        sent = [{name.title(): value for name, value in seen.headers.items()} for seen in hub.seen]  # type: ignore[attr-defined]
        assert [one.get("Authorization") for one in sent] == [None, None, f"Bearer {GOOD_TOKEN}"], (
            "a mirror must be named"
        )
        assert all(one["User-Agent"].startswith("inglenook/") for one in sent)


def test_what_can_be_filtered_by(front: Front) -> None:
    assert {"Llama", "Mistral", "Qwen", "gpt-oss"} <= set(front.browsing.families())
    assert WANTED > 0
