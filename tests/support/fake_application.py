"""An application made of values, with what the window asks for. Verbs are remembered; changes are published by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from app.base.errors import InglenookError
from app.base.paths import Places, resources
from app.chat.messages import Conversation, Message, PathEntry, ReplyFacts, ReplyState, Role, SearchHit
from app.engine.fit import fit
from app.engine.guess import guess
from app.engine.hardware import Fit, Machine
from app.engine.values import Adapter, AdapterFile, LoadedModel, LoadOptions, ModelFile, Origin, Sampling
from app.hub.curated import first_choices
from app.hub.licences import Licence
from app.hub.token import Origin as TokenOrigin
from app.hub.values import Download, FirstChoice, ModelPage, ModelSummary, SearchQuery, Variant
from app.hub.variants import pick
from app.privacy.ledger import LedgerEntry, Outcome
from app.services.account import WORDS
from app.services.cells import CacheCosts
from app.services.changes import (
    AccountChanged,
    CardAnswered,
    ConversationsChanged,
    DownloadsChanged,
    EngineChanged,
    EngineState,
    ModelAnswered,
    ModelFailed,
    NetworkChanged,
    NetworkState,
    PathChanged,
    PictureAnswered,
    Publisher,
    SearchAnswered,
    SearchFailed,
    SettingsChanged,
)
from app.services.errors import NoModelFound, NoSuchThing, NotRemovable
from app.services.leaving import Possession
from app.services.network import NOTHING_LEAVES, ONLINE, ConnectionReport
from app.services.reading import ModelDetails
from app.services.removing import Removal
from app.services.sending import Choices, Sent
from app.services.shelves import Place
from app.services.verifying import Finding, Verdict
from app.settings.file import SettingsFile
from app.settings.schema import Models
from tests.support.fake_contexts import FakeContexts
from tests.support.fake_plans import FakePlans

NOW_MS = 1_790_000_000_000


def starter(**changes: Any) -> ModelFile:
    """The starter model as the library lists it."""
    model = ModelFile(
        id="starter",
        path="/resources/models/SmolLM2-135M-Instruct.Q4_1.gguf",
        name="SmolLM2-135M-Instruct",
        architecture="llama",
        quantization="Q4_1",
        size_bytes=98_000_000,
        n_params=134_515_008,
        n_ctx_train=8192,
        fingerprint="f0",
        is_starter=True,
        license="Apache-2.0",
    )
    return msgspec.structs.replace(model, **changes)


def loaded(model: ModelFile, n_ctx: int = 8192, *, can_think: bool = False) -> LoadedModel:
    """What the engine reports once `model` is loaded."""
    return LoadedModel(
        path=model.path,
        name=model.name,
        architecture=model.architecture,
        description="",
        size_bytes=model.size_bytes,
        n_params=model.n_params,
        n_ctx=n_ctx,
        n_ctx_train=model.n_ctx_train,
        n_vocab=49152,
        n_layer=30,
        n_gpu_layers=0,
        n_threads=2,
        tokenizer="t0",
        has_template=True,
        can_think=can_think,
        load_s=0.2,
    )


class FakeConversations:
    """Conversations as straight lists of messages; siblings share a parent and the last one is shown."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.rows: dict[str, Conversation] = {}
        self.messages: dict[str, list[Message]] = {}
        self.deleted: dict[str, Conversation] = {}
        self.drafts: dict[str, str] = {}
        self.hits: list[SearchHit] = []
        self.chosen: list[tuple[str, str]] = []
        self.configured: list[tuple[str, dict[str, Any]]] = []
        self.refuse: InglenookError | None = None
        self.other_wordings: dict[str, list[str]] = {}
        self.looked_at: list[str] = []

    def add(self, title: str, messages: list[Message] | None = None, *, id: str = "", age_ms: int = 0) -> str:
        """Adds a conversation and its messages; returns its id."""
        conversation_id = id or f"c{len(self.rows) + 1}"
        own = [msgspec.structs.replace(m, conversation_id=conversation_id) for m in messages or []]
        self.messages[conversation_id] = own
        self.rows[conversation_id] = Conversation(
            id=conversation_id,
            title=title,
            created_ms=NOW_MS - age_ms,
            updated_ms=NOW_MS - age_ms,
            leaf_id=own[-1].id if own else None,
        )
        return conversation_id

    def list(self) -> list[Conversation]:
        return sorted(self.rows.values(), key=lambda row: -row.updated_ms)

    def get(self, conversation_id: str) -> Conversation | None:
        return self.rows.get(conversation_id)

    def path(self, conversation_id: str) -> list[PathEntry]:  # type: ignore[valid-type]
        return [
            PathEntry(
                id=m.id,
                role=m.role,
                state=m.state,
                length=len(m.text),
                newlines=m.text.count("\n"),
                sibling=len(self.other_wordings.get(m.id, [])),
                siblings=len(self.other_wordings.get(m.id, [])) + 1,
            )
            for m in self.messages.get(conversation_id, [])
        ]

    def message(self, message_id: str) -> Message:
        return next(m for messages in self.messages.values() for m in messages if m.id == message_id)

    def body(self, message_id: str) -> tuple[str, str]:
        message = self.message(message_id)
        return message.text, message.thinking

    def siblings(self, message_id: str) -> list[str]:  # type: ignore[valid-type]
        return [*self.other_wordings.get(message_id, []), message_id]

    def search(self, text: str) -> list[SearchHit]:  # type: ignore[valid-type]
        if self.refuse is not None:
            raise self.refuse
        return [hit for hit in self.hits if text.lower() in (hit.snippet + hit.title).lower()]

    def _tell(self, *ids: str) -> None:
        self._publisher.publish(ConversationsChanged(ids=ids))

    def rename(self, conversation_id: str, title: str) -> None:
        self.rows[conversation_id] = msgspec.structs.replace(self.rows[conversation_id], title=title)
        self._tell(conversation_id)

    def opened(self, conversation_id: str) -> None:
        self.looked_at.append(conversation_id)

    def delete(self, conversation_id: str) -> None:
        self.deleted[conversation_id] = self.rows.pop(conversation_id)
        self._tell(conversation_id)

    def undo_delete(self, conversation_id: str) -> None:
        self.rows[conversation_id] = self.deleted.pop(conversation_id)
        self._tell(conversation_id)

    def choose(self, conversation_id: str, message_id: str) -> None:
        self.chosen.append((conversation_id, message_id))

    def configure(
        self,
        conversation_id: str,
        *,
        model_id: str | UnsetType | None = UNSET,
        system_prompt: str | UnsetType | None = UNSET,
        sampling: Sampling | UnsetType | None = UNSET,
        adapters: tuple[Adapter, ...] | UnsetType = UNSET,
    ) -> None:
        given = {"model_id": model_id, "system_prompt": system_prompt, "sampling": sampling, "adapters": adapters}
        given = {name: value for name, value in given.items() if value is not UNSET}
        self.configured.append((conversation_id, given))
        self.rows[conversation_id] = msgspec.structs.replace(self.rows[conversation_id], **given)
        self._tell(conversation_id)

    def draft(self, conversation_id: str) -> str:
        return self.drafts.get(conversation_id, "")

    def set_draft(self, conversation_id: str, text: str) -> None:
        self.drafts[conversation_id] = text


@dataclass
class FakeLive:
    """A reply that is being written."""

    message_id: str
    state: ReplyState = ReplyState.WRITING


@dataclass
class FakeSending:
    """Remembers what was asked; `begin` makes the messages a send would make."""

    conversations: FakeConversations
    publisher: Publisher
    sent: list[tuple[str | None, str, Choices | None]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    regenerated: list[str] = field(default_factory=list)
    edited: list[tuple[str, str]] = field(default_factory=list)
    live: dict[str, FakeLive] = field(default_factory=dict)
    refuse: InglenookError | None = None

    def send(
        self, conversation_id: str | None, text: str, *, temporary: bool = False, choices: Choices | None = None
    ) -> Sent:
        if self.refuse is not None:
            raise self.refuse
        self.sent.append((conversation_id, text, choices))
        conversations = self.conversations
        where = conversation_id or conversations.add(text[:40])
        messages = conversations.messages[where]
        number = sum(len(m) for m in conversations.messages.values())
        parent = messages[-1].id if messages else None
        user = Message(id=f"u{number}", conversation_id=where, parent_id=parent, role=Role.USER, text=text)
        reply = Message(
            id=f"r{number}",
            conversation_id=where,
            parent_id=user.id,
            role=Role.ASSISTANT,
            text="",
            state=ReplyState.QUEUED,
        )
        messages += [user, reply]
        self.live[where] = FakeLive(reply.id)
        conversations.drafts.pop(conversation_id or "new", None)
        self.publisher.publish(ConversationsChanged(ids=(where,)))
        self.publisher.publish(PathChanged(conversation_id=where))
        return Sent(conversation_id=where, message_id=user.id, reply_id=reply.id)

    def stop(self, reply_id: str) -> None:
        self.stopped.append(reply_id)

    def regenerate(self, reply_id: str) -> str:
        self.regenerated.append(reply_id)
        return "r-again"

    def edit(self, message_id: str, text: str) -> Sent:
        self.edited.append((message_id, text))
        message = self.conversations.message(message_id)
        return Sent(conversation_id=message.conversation_id, message_id="u-edited", reply_id="r-edited")

    def live_reply(self, conversation_id: str) -> FakeLive | None:
        return self.live.get(conversation_id)


@dataclass
class FakeLoading:
    """Loads nothing; `become` publishes a state."""

    publisher: Publisher
    state: EngineChanged = field(default_factory=lambda: EngineChanged(state=EngineState.OFF))
    loads: list[str] = field(default_factory=list)
    cancelled: int = 0
    unloaded: int = 0
    warmed: int = 0
    outdated: bool = False

    def become(self, state: EngineState, model: ModelFile | None = None, **more: Any) -> None:
        """Publishes that the engine is in this state."""
        self.state = EngineChanged(
            state=state,
            model_id=model.id if model else "",
            model_name=model.name if model else "",
            model=loaded(model) if model and state is EngineState.READY else None,
            **more,
        )
        self.publisher.publish(self.state)

    def load(self, model_id: str) -> None:
        self.loads.append(model_id)

    def cancel(self) -> None:
        self.cancelled += 1

    def unload(self) -> None:
        self.unloaded += 1

    def warm(self) -> None:
        self.warmed += 1

    def context_limit(self) -> int:
        return self.state.model.n_ctx if self.state.model else 0

    def cache_costs(self) -> tuple[str, CacheCosts] | None:
        costs = CacheCosts(n_ctx=8_192, window_bytes=188_743_680, n_cells=16_384, size_bytes=377_487_360)
        return "SmolLM2-135M-Instruct", costs


class FakeSnapshots:
    """Some bytes on a disk that is none."""

    def __init__(self) -> None:
        self.taken = 1_240_000_000
        self.budget_bytes = 16_000_000_000

    def size_bytes(self) -> int:
        return self.taken

    def remove_all(self) -> None:
        self.taken = 0


class FakeLibrary:
    """A list of models."""

    def __init__(self, models: list[ModelFile]) -> None:
        self.models = models
        self.added: list[Path] = []
        self.deleted: list[str] = []
        self.finding = Finding.SAME
        self.folder = Path("/home/me/.local/share/inglenook/models")
        self.refuse: InglenookError | None = None
        self.settings: SettingsFile | None = None
        self.refreshed = threading.Event()
        self.refreshed.set()

    def list(self) -> list[ModelFile]:
        return list(self.models)

    def refresh(self) -> None:
        self.refreshed.set()

    def add_file(self, path: Path) -> ModelFile:
        model = self._added(path)
        if self.settings is not None and str(path) not in self.settings.current.models.files:
            self.settings.change("models.files", (*self.settings.current.models.files, str(path)))
        return model

    def _added(self, path: Path) -> ModelFile:
        if self.refuse is not None:
            raise self.refuse
        self.added.append(path)
        model = starter(id=path.stem, name=path.stem, is_starter=False, path=str(path), origin=Origin.FILE)
        self.models = [model, *self.models]
        return model

    def places(self) -> list[Place]:  # type: ignore[valid-type]
        """What the options name, with the models below; other programs' as their models tell."""
        models = self.settings.current.models if self.settings is not None else Models()
        found = [(Origin.FOLDER, path) for path in models.folders] + [(Origin.FILE, path) for path in models.files]
        for origin in (Origin.LM_STUDIO, Origin.OLLAMA, Origin.HUGGING_FACE):
            if getattr(models, origin.value) and any(model.origin is origin for model in self.models):
                found.append((origin, f"/home/me/.{origin.value.replace('_', '')}/models"))
        places = []
        for origin, path in found:
            own = [model for model in self.models if model.origin is origin and model.path.startswith(path)]
            away = bool(own) and all(model.away for model in own)
            places.append(Place(path, origin, away, len(own), sum(model.size_bytes for model in own)))
        return places

    def take_off(self, path: str) -> None:
        if self.refuse is not None:
            raise self.refuse
        assert self.settings is not None
        models = self.settings.current.models
        self.settings.change("models.folders", tuple(one for one in models.folders if one != path))
        self.settings.change("models.files", tuple(one for one in models.files if one != path))

    def add_folder(self, path: Path) -> list[ModelFile]:  # type: ignore[valid-type]
        if self.refuse is None and self.settings is not None:
            self.settings.change("models.folders", (*self.settings.current.models.folders, str(path)))
        return [self._added(path / "one.gguf"), self._added(path / "two.gguf")]

    def details(self, model_id: str) -> ModelDetails:
        if self.refuse is not None:
            raise self.refuse
        return ModelDetails(
            architecture="llama", name="", basename="", author="", license="", license_link="", base_model="acme/Base",
            quantized_by="", quantization="Q4_1", size_label="", context_length=8192, layers=30, embedding_length=576,
            heads=9, kv_heads=3, experts=0, experts_used=0, vocabulary=49152, tokenizer="gpt2", template=True,
            tensors=272, types={}, gguf_version=3,
        )  # fmt: skip

    def whereabouts(self, model_id: str) -> Path:
        return Path(self._model(model_id).path)

    def verify(self, model_id: str, progress: Callable[[int, int], None], ended: threading.Event) -> Verdict:
        model = self._model(model_id)
        progress(model.size_bytes // 2, model.size_bytes)
        progress(model.size_bytes, model.size_bytes)
        return Verdict(
            model_id=model_id,
            name=model.name,
            path=model.path,
            finding=self.finding,
            sha256=(),
            known=(),
            sentence=f"{model.name}: {self.finding.value}.",
        )

    def removal(self, model_id: str) -> Removal:
        model = self._model(model_id)
        if model.origin in (Origin.OLLAMA, Origin.LM_STUDIO):
            raise NotRemovable(f"{model.name} belongs to another program. Remove it there.")
        return Removal(
            model_id=model_id,
            name=model.name,
            files=() if model.away else (model.path,),
            frees_bytes=0 if model.away else model.size_bytes,
            only_forgets=model.away,
        )

    def delete(self, model_id: str) -> Removal:
        removal = self.removal(model_id)
        self.deleted.append(model_id)
        self.models = [model for model in self.models if model.id != model_id]
        return removal

    def _model(self, model_id: str) -> ModelFile:
        return next(model for model in self.models if model.id == model_id)


class FakeAdapters:
    """Adapters that lie among the models, and others by their paths."""

    def __init__(self) -> None:
        self.files: list[AdapterFile] = []
        self.others: list[AdapterFile] = []
        self.looked_at: list[tuple[list[str], str]] = []

    def found(self) -> list[AdapterFile]:
        return [*self.files]

    def look(self, paths: Sequence[str], model_id: str = "") -> Future[list[AdapterFile]]:
        self.looked_at.append(([*paths], model_id))
        known = {file.path: file for file in (*self.files, *self.others)}
        future: Future[list[AdapterFile]] = Future()
        future.set_result([known[path] for path in paths])
        return future


class FakeNetwork:
    """A switch that turns, and entries that were put there."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.entries: list[LedgerEntry] = []
        self.saved: list[Path] = []
        self.endpoint = "https://huggingface.co"
        self.token_goes_to_hub = True
        self.report = ConnectionReport(
            ok=True, code="ok", sentence="huggingface.co answers.", endpoint=self.endpoint, elapsed_ms=120
        )
        self.refuse: InglenookError | None = None
        self.state = NetworkState(mode="ask", online=False, words=NOTHING_LEAVES)

    def become(self, *, online: bool, forced_by: str = "") -> None:
        """Publishes that the network stands so."""
        words = ONLINE if online else NOTHING_LEAVES
        mode = "online" if online else "offline"
        self.state = NetworkState(mode=mode, online=online, forced_by=forced_by, words=words)
        self._publisher.publish(NetworkChanged(state=self.state))

    def check_connection(self) -> ConnectionReport:
        return self.report

    def go_online(self) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.become(online=True)

    def go_offline(self) -> None:
        self.become(online=False)

    def ledger(self, limit: int = 500, *, refused_only: bool = False) -> list[LedgerEntry]:
        if self.refuse is not None:
            raise self.refuse
        found = [e for e in self.entries if not refused_only or e.outcome is Outcome.REFUSED]
        return found[:limit]

    def save_ledger(self, path: Path) -> int:
        if self.refuse is not None:
            raise self.refuse
        self.saved.append(path)
        return len(self.entries)


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


class FakeDiagnostics:
    """Two facts."""

    def text(self) -> str:
        return "version: 0\ndata_dir: ~"

    def report(self) -> dict[str, Any]:
        return {"version": "0"}


class FakeJobs:
    """Runs at once, on the calling thread."""

    def __init__(self) -> None:
        self.ending = threading.Event()

    def start(self, name: str, run: Callable[[], None]) -> None:
        run()


class FakeLeaving:
    """Has something of every kind."""

    def __init__(self) -> None:
        self.agreed: bool | None = None
        self.refuse: InglenookError | None = None

    def possessions(self) -> list[Possession]:
        return [
            Possession(what="Conversations", files=("inglenook.db",), size_bytes=12_400_000),
            Possession(what="What the engine remembers of conversations", files=("a", "b"), size_bytes=310_000_000),
            Possession(what="Settings", files=("settings.json", "window.json"), size_bytes=900),
            Possession(what="Models", files=("one.gguf",), size_bytes=4_100_000_000, models=True),
        ]

    def agree(self, *, models: bool) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.agreed = models


class FakeApplication:
    """Everything together, in a folder of its own."""

    def __init__(self, folder: Path, models: list[ModelFile] | None = None) -> None:
        self.places = Places(folder, folder / "logs")
        self.jobs = FakeJobs()
        self.publisher = Publisher()
        self.settings = SettingsFile(
            self.places.settings, on_change=lambda names: self.publisher.publish(SettingsChanged(names=names))
        )
        self.conversations = FakeConversations(self.publisher)
        self.sending = FakeSending(self.conversations, self.publisher)
        self.loading = FakeLoading(self.publisher)
        self.snapshots = FakeSnapshots()
        self.adapters = FakeAdapters()
        self.contexts = FakeContexts(self.conversations, self.publisher, lambda: self.loading.context_limit())
        self.library = FakeLibrary([starter()] if models is None else models)
        self.library.settings = self.settings
        self.network = FakeNetwork(self.publisher)
        self.browsing = FakeBrowsing(self.publisher)
        self.downloading = FakeDownloading(self.publisher)
        self.account = FakeAccount(self.publisher)
        self.pictures = FakePictures(self.publisher)
        self.fitting = FakeFitting()
        self.plans = FakePlans(self.library.list, self.settings, self.fitting.computer)
        self.diagnostics = FakeDiagnostics()
        self.leaving = FakeLeaving()
        self.closed = False

    def open(self) -> None:
        self.publisher.publish(ConversationsChanged())

    def close(self) -> None:
        self.closed = True

    def leave(self) -> str:
        return ""


def no_model() -> NoModelFound:
    """What sending answers where there is no model."""
    return NoModelFound("There is no model yet.")


def facts(model: ModelFile, **more: Any) -> ReplyFacts:
    """The facts of a finished reply."""
    return ReplyFacts(model_id=model.id, model_name=model.name, n_ctx=8192, **more)
