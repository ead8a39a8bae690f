"""The Hub as the window sees it, made of values: looking around, downloads, pictures, the account, what fits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from app.base.errors import InglenookError
from app.base.paths import resources
from app.engine.fit import fit
from app.engine.guess import guess
from app.engine.hardware import Fit, Machine
from app.engine.values import LoadOptions
from app.hub.curated import first_choices
from app.hub.licences import Licence
from app.hub.token import Origin as TokenOrigin
from app.hub.values import Download, FirstChoice, ModelPage, ModelSummary, SearchQuery, Variant
from app.hub.variants import pick
from app.services.account import WORDS
from app.services.changes import (
    AccountChanged,
    CardAnswered,
    DownloadsChanged,
    ModelAnswered,
    ModelFailed,
    PictureAnswered,
    Publisher,
    SearchAnswered,
    SearchFailed,
)
from app.services.errors import NoSuchThing
from tests.support.fake_conversations import NOW_MS


class FakeBrowsing:
    """Remembers what was asked; `answer` and its like publish what the Hub would say."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.queries: list[SearchQuery] = []
        self.opened: list[str] = []
        self.cards: list[str] = []
        self.stopped = 0
        self.asked_for_more = 0
        self.commit = ""
        self.refuse: InglenookError | None = None
        self.pages: dict[str, ModelPage] = {}

    def first_choices(self, memory_bytes: int = 0) -> list[FirstChoice]:
        listed = first_choices(resources())
        return [one for one in reversed(listed) if one.memory_bytes <= memory_bytes] if memory_bytes else listed

    def families(self) -> list[str]:
        return ["Llama", "Qwen", "Gemma"]

    def licences(self) -> list[Licence]:
        return [Licence("apache-2.0", "Apache 2.0", "You may do nearly anything with it."), Licence("mit", "MIT", "")]

    def search(self, query: SearchQuery) -> int:
        self.queries.append(query)
        return len(self.queries)

    def more(self) -> bool:
        self.asked_for_more += 1
        return True

    def stop_search(self) -> None:
        self.stopped += 1

    def open_model(self, repo: str, revision: str = "", *, fresh: bool = False) -> None:
        self.opened.append(repo)

    def open_card(self, repo: str, revision: str = "") -> None:
        self.cards.append(repo)

    def pick(self, page: ModelPage, wanted: str = "") -> Variant:
        found = pick(page.variants, wanted)
        if found is None:
            raise NoSuchThing("Nothing is called so.")
        return found

    def newer(self, repo: str, commit: str) -> str:
        if self.refuse is not None:
            raise self.refuse
        return self.commit

    def look(self, repo: str, revision: str = "") -> ModelPage:
        return self.pages[repo]

    def answer(
        self, *models: ModelSummary, first: bool = True, more: bool = False, done: bool = True, number: int = 0
    ) -> None:
        """Results of the newest search, or of another."""
        self._publisher.publish(
            SearchAnswered(number=number or len(self.queries), models=models, first=first, more=more, done=done)
        )

    def fail(self, code: str, sentence: str, *, seconds: int = 0) -> None:
        """The newest search fails."""
        number = len(self.queries)
        self._publisher.publish(SearchFailed(number=number, code=code, sentence=sentence, seconds=seconds))

    def show(self, page: ModelPage, card: str = "", repo: str = "") -> None:
        """A repository's page, and its card."""
        asked = repo or page.summary.repo
        self._publisher.publish(ModelAnswered(repo=asked, revision="", page=page))
        self._publisher.publish(CardAnswered(repo=asked, revision="", card=card))

    def refuse_model(self, repo: str, code: str, sentence: str, *, link: str = "", card: bool = False) -> None:
        """A repository cannot be read."""
        self._publisher.publish(ModelFailed(repo=repo, revision="", card=card, code=code, sentence=sentence, link=link))


class FakeDownloading:
    """A queue that only changes by hand; wishes are remembered."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.downloads: list[Download] = []
        self.wishes: list[tuple[str, str]] = []
        self.free, self.free_when_done = 214_000_000_000, 187_000_000_000
        self.refuse: InglenookError | None = None
        self.begun = 0

    def list(self) -> list[Download]:
        return list(self.downloads)

    def free_bytes(self, *, when_done: bool = False) -> int:
        return self.free_when_done if when_done else self.free

    def become(self, *downloads: Download) -> None:
        """Publishes that these are the downloads now."""
        self.downloads = [*downloads]
        self._publisher.publish(DownloadsChanged())

    def add(self, page: ModelPage, variant: Variant) -> Future[Download]:
        if self.refuse is not None:
            raise self.refuse
        download = Download(
            id=f"d{len(self.downloads) + 1}",
            endpoint="https://huggingface.co",
            repo=page.summary.repo,
            commit=page.commit,
            label=variant.label,
            files=variant.files,
            folder="/models",
        )
        self.become(*self.downloads, download)
        done: Future[Download] = Future()
        done.set_result(download)
        return done

    def pause(self, id: str) -> None:
        self.wishes.append(("pause", id))

    def resume(self, id: str) -> None:
        self.wishes.append(("resume", id))

    def cancel(self, id: str) -> None:
        self.wishes.append(("cancel", id))
        self.become(*(one for one in self.downloads if one.id != id))

    def move_up(self, id: str) -> None:
        self.wishes.append(("move_up", id))

    def pause_all(self) -> None:
        self.wishes.append(("pause_all", ""))

    def resume_all(self) -> None:
        self.wishes.append(("resume_all", ""))

    def clear_finished(self) -> None:
        self.wishes.append(("clear_finished", ""))

    def begin(self) -> None:
        self.begun += 1


class FakePictures:
    """Remembers what was wanted; `answer` publishes one."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.wanted: list[tuple[str, str]] = []
        self.stopped = 0

    def show(self, repo: str, addresses: Sequence[str]) -> None:
        self.wanted += [(repo, address) for address in addresses]

    def stop(self) -> None:
        self.stopped += 1

    def answer(self, repo: str, address: str, data: bytes) -> None:
        """This picture is there."""
        self._publisher.publish(PictureAnswered(repo=repo, address=address, data=data))


class FakeAccount:
    """A token that is remembered, and never shown."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.origin = "none"
        self.can_keep = True
        self.entered: list[tuple[str, bool]] = []
        self.refuse: InglenookError | None = None
        self.not_kept = ""

    @property
    def words(self) -> str:
        return WORDS[TokenOrigin(self.origin)]

    def log_in(self, token: str, *, keep: bool) -> str:
        if self.refuse is not None:
            raise self.refuse
        self.entered.append((token, keep))
        self._become("keyring" if keep and not self.not_kept else "session")
        return self.not_kept

    def log_out(self) -> None:
        self._become("none")

    def _become(self, origin: str) -> None:
        self.origin = origin
        self._publisher.publish(AccountChanged(origin=origin))


class FakeFitting:
    """The real formulae for a computer that is always the same; the exact answer is the guess with a mark."""

    def __init__(self) -> None:
        self.computer = Machine(
            memory_total_bytes=34_000_000_000,
            memory_free_bytes=20_000_000_000,
            bandwidth_bytes_per_s=4.2e10,
            compute_flops=9e11,
            measured_ms=NOW_MS,
            swap_total_bytes=8_000_000_000,
            swap_free_bytes=7_900_000_000,
            cores=6,
            logical=12,
        )
        self.asked: list[tuple[str, str]] = []
        self.exact_answers: dict[str, Future[Fit]] = {}
        self.given_up: list[Future[Fit]] = []
        self.prepared = 0

    def machine(self) -> Machine:
        return self.computer

    def badge(self, model: ModelSummary, machine: Machine | None = None) -> Fit:
        shape = guess(
            model.params, architecture=model.architecture, name=model.name, context_length=model.context_length
        )
        return fit(shape, LoadOptions(), machine or self.computer)

    def quick(
        self, model: ModelSummary, variant: Variant, options: LoadOptions | None = None, machine: Machine | None = None
    ) -> Fit:
        shape = guess(
            model.params,
            architecture=model.architecture,
            name=model.name,
            context_length=model.context_length,
            weights_bytes=variant.size_bytes,
        )
        return fit(shape, options or LoadOptions(), machine or self.computer)

    def exact(self, repo: str, commit: str, variant: Variant, *, n_ctx: int = 0, kv: str = "f16") -> Future[Fit]:
        self.asked.append((repo, variant.name))
        return self.exact_answers.setdefault(variant.name, Future())

    def cancel(self, future: Future[Fit]) -> None:
        self.given_up.append(future)
        future.cancel()

    def prepare(self, *, again: bool = False) -> None:
        self.prepared += 1
