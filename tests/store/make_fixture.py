"""Makes the fixture database of today's schema: `python -m tests.store.make_fixture`. Run before a new one is begun.

The file goes to tests/fixtures/databases/<schema>.db.gz and is never made again: later versions must open it as it is.
"""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from app.base.paths import Places
from app.chat.context_view import Mark, Note, Policy
from app.chat.messages import Conversation, Message, ReplyState, Role
from app.engine.values import Adapter, LoadOptions, ModelFile, Origin, Sampling
from app.privacy.ledger import LedgerEntry, Outcome
from app.store.kept import KeptPlan
from app.store.queued import FAILED, QueuedDownload
from app.store.store import open_store
from tests.store.test_messages import FACTS

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "databases"
EPOCH_MS = 1_760_000_000_000


def made_id(number: int) -> str:
    """Always the same ids: 0199c7f4-5000-7000-8000-000000000001 and so on."""
    return f"0199c7f4-5000-7000-8000-{number:012x}"


def message(number: int, parent: int | None, text: str, state: ReplyState | None = None, chat: int = 1) -> Message:
    return Message(
        id=made_id(number),
        conversation_id=made_id(chat),
        parent_id=None if parent is None else made_id(parent),
        role=Role.USER if state is None else Role.ASSISTANT,
        text=text,
        state=state or ReplyState.DONE,
        created_ms=EPOCH_MS + number,
        facts=None if state is None else FACTS,
    )


LEDGER = LedgerEntry(
    id=made_id(5),
    action_id=made_id(6),
    purpose="search",
    what="Search for “llama 3b”",
    host="huggingface.co",
    first_ms=EPOCH_MS,
    last_ms=EPOCH_MS + 1,
    requests=2,
    sent_bytes=600,
    received_bytes=42_000,
    outcome=Outcome.FAILED,
    local=False,
    reason="huggingface.co did not answer in time.",
)


DOWNLOAD = QueuedDownload(
    id=made_id(7),
    endpoint="https://huggingface.co",
    repo="acme/tiny",
    commit="c" * 40,
    label="Q4_K_M",
    files='[{"path":"tiny-Q4_K_M.gguf","size_bytes":98000000,"sha256":"00"}]',
    folder="/elsewhere",
    state=FAILED,
    position=1,
    done_bytes=42,
    created_ms=EPOCH_MS,
    code="no_space",
    sentence="The disk is full.",
)


NOTE = Note(
    id=made_id(8),
    conversation_id=made_id(1),
    after_id=made_id(16),
    upto_id=made_id(18),
    text="The sky was asked about.",
    by_person=True,
    created_ms=EPOCH_MS,
)


PLAN = KeptPlan(
    model_id=made_id(4),
    machine="16 GB, CUDA0 8 GB",
    options=LoadOptions(n_ctx=4096, n_gpu_layers=20, devices=("CUDA0",), layers_on=(20,), type_k="q8_0", type_v="q8_0"),
    stepped_down="20 of 25 layers on the graphics card.",
    made_ms=EPOCH_MS,
)


ADAPTERS = (Adapter(path="/models/plain-words.gguf", scale=0.5), Adapter(path="/models/minutes.gguf"))


def model(places: Places) -> ModelFile:
    return ModelFile(
        id=made_id(4),
        path=str(places.models / "acme" / "a.gguf"),
        name="A",
        architecture="llama",
        quantization="Q4_1",
        size_bytes=1,
        n_params=2,
        n_ctx_train=3,
        fingerprint="f",
        origin=Origin.OWN,
        parts=1,
        mtime_ns=EPOCH_MS * 1_000_000,
        sha256=("0" * 64,),
        repo="acme/a",
        commit="c" * 40,
        remote_path="a.gguf",
        projector=str(places.models / "acme" / "mmproj.gguf"),
    )


def main() -> None:
    """A branching conversation, one that was deleted, one whose reply was being written when its process died; since
    0002 an entry of the ledger, since 0003 a download; since 0004 more is known of a model; since 0005 a policy, a mark
    and a note; since 0006 a load plan, adapters, and what a reply was computed on."""
    with tempfile.TemporaryDirectory() as name:
        places = Places(Path(name), Path(name) / "logs")
        store = open_store(places)
        for chat, title in ((1, "Why the sky is blue"), (2, "Deleted"), (3, "Interrupted")):
            question = message(chat * 16, None, f"Question of {title}?", chat=chat)
            reply = message(chat * 16 + 1, chat * 16, "", ReplyState.WRITING, chat=chat)
            conversation = Conversation(
                id=made_id(chat),
                title=title,
                created_ms=EPOCH_MS,
                updated_ms=EPOCH_MS,
                model_id="m",
                system_prompt="Be brief.",
                sampling=Sampling(seed=1),
                title_by_person=chat == 1,
                policy=Policy.ASK if chat == 1 else Policy.ROLLING,
                adapters=ADAPTERS if chat == 1 else (),
            )
            store.messages.add_turn(conversation, question, reply).result()
            store.messages.append(reply.id, 0, "Half an ans", thinking=False).result()
            if chat != 3:
                store.messages.finish(reply.id, f"Answer of {title}.", "thinking", ReplyState.DONE, FACTS).result()
        store.messages.add_reply(message(18, 16, "Another answer: Rayleigh.", ReplyState.STOPPED)).result()
        store.conversations.set_deleted(made_id(2), True).result()
        store.conversations.set_draft("new", "a draft").result()
        store.models.upsert(model(places)).result()
        store.ledger.record([LEDGER]).result()
        store.downloads.add(DOWNLOAD).result()
        store.contexts.set_marks([made_id(16)], Mark.PINNED).result()
        store.contexts.set_note(NOTE).result()
        store.plans.keep(PLAN).result()
        store.close()
        FIXTURES.mkdir(parents=True, exist_ok=True)
        target = FIXTURES / f"{store.schema}.db.gz"
        with target.open("xb") as file:
            file.write(gzip.compress(places.database.read_bytes(), mtime=0))
        print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
