"""A data folder with one very long conversation, written through the store itself; made once, kept under build/."""

from __future__ import annotations

import hashlib
import random
import shutil
from concurrent.futures import Future
from pathlib import Path

from app.base.paths import Places
from app.chat.messages import Conversation, Message, ReplyFacts, Role
from app.engine.values import GenerationFacts, Sampling
from app.store.store import Store, open_store
from benchmarks.processes import BUILD, BenchmarkError
from benchmarks.texts import markdown, prose

TURNS = 5000
CHARACTERS = 27_000_000
BEGUN_MS = 1_700_000_000_000
TURN_MS = 90_000
AT_ONCE = 200  # turns handed to the writer before waiting for it


def long_history() -> tuple[Places, str]:
    """The data folder, and the id of its conversation of 10,000 messages. Made at the first call (a minute)."""
    sources = [Path(__file__), Path(__file__).with_name("texts.py")]
    mark = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    folder = BUILD / "bench-history" / mark
    if not folder.is_dir():
        shutil.rmtree(folder.parent, ignore_errors=True)
        fresh = folder.with_suffix(".making")
        _write(Places(fresh, fresh / "logs"))
        fresh.rename(folder)
    places = Places(folder, folder / "logs")
    store = open_store(places)
    try:
        found = store.conversations.find("last")
        if not found:
            raise BenchmarkError(f"the long conversation is missing: remove {folder}")
        return places, found[0]
    finally:
        store.close()


def _write(places: Places) -> None:
    source = random.Random(10_000)
    conversation = Conversation(
        id=_id(0), title="A very long conversation", created_ms=BEGUN_MS, updated_ms=BEGUN_MS, model_id="starter"
    )
    store = open_store(places)
    try:
        parent: str | None = None
        characters = 0
        for start in range(0, TURNS, AT_ONCE):
            writes: list[Future[None]] = []
            for turn in range(start, start + AT_ONCE):
                question, reply = _turn(
                    source, conversation.id, parent, turn, CHARACTERS * (turn + 1) // TURNS - characters
                )
                characters += len(question.text) + len(reply.text)
                writes.append(store.messages.add_turn(conversation if turn == 0 else None, question, reply))
                parent = reply.id
            for write in writes:
                write.result(60)
        _check(store, conversation.id)
    finally:
        store.close()


def _turn(
    source: random.Random, conversation_id: str, parent: str | None, turn: int, due: int
) -> tuple[Message, Message]:
    """A question and a reply of Markdown; `due` characters would bring the total to where it should be."""
    at_ms = BEGUN_MS + turn * TURN_MS
    question = Message(
        id=_id(2 * turn + 1),
        conversation_id=conversation_id,
        parent_id=parent,
        role=Role.USER,
        text=prose(source, source.randint(8, 120)),
        created_ms=at_ms,
    )
    text = markdown(source, max(200, round((due - len(question.text)) * source.uniform(0.2, 1.8))))
    tokens = len(text) // 4
    facts = ReplyFacts(
        model_id="starter",
        model_name="SmolLM2-135M-Instruct",
        sampling=Sampling(seed=turn),
        n_ctx=8192,
        generation=GenerationFacts(
            prompt_tokens=4000,
            cached_tokens=3900,
            completion_tokens=tokens,
            prompt_s=0.25,
            decode_s=tokens / 150,
            ttft_s=0.26,
            seed=turn,
            finish_reason="stop",
        ),
        tokenizer="0" * 64,
        token_ids=source.choices(range(49152), k=tokens),
    )
    reply = Message(
        id=_id(2 * turn + 2),
        conversation_id=conversation_id,
        parent_id=question.id,
        role=Role.ASSISTANT,
        text=text,
        created_ms=at_ms + 2000,
        facts=facts,
    )
    return question, reply


def _check(store: Store, conversation_id: str) -> None:
    path = store.messages.path(conversation_id)
    characters = sum(entry.length for entry in path)
    if len(path) != 2 * TURNS or not 0.98 * CHARACTERS < characters < 1.02 * CHARACTERS:
        raise BenchmarkError(f"{len(path)} messages of {characters} characters were written")


def _id(number: int) -> str:
    """An id in the form of the application's, ascending with the number."""
    digits = f"{BEGUN_MS + number:012x}7000{0x8000:04x}{number:012x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
