"""The frames both processes share. Typed, versioned; nothing here knows what a frame causes.

Commands go down on the child's stdin, events come up on the descriptor that used to be its stdout; wire.py makes bytes
of them. A `Request` has an id and is answered by exactly one terminal event with that id: Loaded, Unloaded, Finished,
Measured, Described, Planned, Gauged, Kept, Restored, Forgotten or Failed. Before it come any number of progress events.
A command that the child does not know is answered by Failed with the code unknown_command.
"""

from __future__ import annotations

import msgspec

from app.engine.hardware import DeviceSpeed, MemoryPlan
from app.engine.values import (
    Adapter,
    EngineInfo,
    GenerationFacts,
    LoadedModel,
    LoadOptions,
    PromptMessage,
    Sampling,
    TemplateOptions,
)

VERSION = 2

NOTE = "note: "
"""Begins a line on the child's stderr that is worth keeping in the log; what native code prints is not."""


class Code:
    """Error codes on the wire. An unknown code must survive: it is shown as an internal error with its detail."""

    UNKNOWN_COMMAND = "unknown_command"
    BAD_FRAME = "bad_frame"
    NO_MODEL = "no_model"
    FILE_MISSING = "file_missing"
    FILE_UNREADABLE = "file_unreadable"
    NOT_GGUF = "not_gguf"
    GGUF_TRUNCATED = "gguf_truncated"
    GGUF_BROKEN = "gguf_broken"
    UNKNOWN_ARCHITECTURE = "unknown_architecture"
    NOT_A_CHAT_MODEL = "not_a_chat_model"  # a projector, a vocabulary, an embedding or an adapter file
    LOAD_FAILED = "load_failed"
    OUT_OF_MEMORY = "out_of_memory"
    DEVICE_FAILED = "device_failed"  # a driver or a device of another computer; detail: its name
    WORKER_UNREACHABLE = "worker_unreachable"  # a further computer does not answer; detail: HOST:PORT
    ADAPTER_MISFIT = "adapter_misfit"  # no adapter, or one for another model; detail: errors.AdapterMisfit
    CANCELLED = "cancelled"
    TEMPLATE_BROKEN = "template_broken"  # syntax, raise_exception, wrong types
    TEMPLATE_LIMIT = "template_limit"  # time, recursion or size
    PROMPT_TOO_LONG = "prompt_too_long"  # numbers: n, limit
    DECODE_FAILED = "decode_failed"
    BUSY = "busy"
    INTERNAL = "internal"


class _Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", omit_defaults=True):
    pass


# --- commands -----------------------------------------------------------------------------------------------------


class Load(_Frame, frozen=True, tag="load"):
    """Replace the model. The old one is kept until the file has been checked, and is gone once loading begins."""

    id: int
    path: str
    options: LoadOptions


class Unload(_Frame, frozen=True, tag="unload"):
    """Free model and context."""

    id: int


class Generate(_Frame, frozen=True, tag="generate"):
    """Write one reply. `sequence` names the conversation: the same name finds its KV cache again.

    The fields are those of values.GenerateRequest.
    """

    id: int
    sequence: str
    messages: list[PromptMessage]
    sampling: Sampling
    stop: list[str] = []
    template_options: TemplateOptions = {}
    continue_final: bool = False
    shift: bool = False
    snapshot: str = ""
    snapshot_limit: int = 0
    guess: bool = True
    adapters: tuple[Adapter, ...] = ()


class Measure(_Frame, frozen=True, tag="measure"):
    """Count the tokens of a prompt, and how many of them are cached for `sequence` with these adapters.

    `ahead`: somebody is typing the last message of it, so that its beginning may be read while nothing else is to do.
    """

    id: int
    messages: list[PromptMessage]
    template_options: TemplateOptions = {}
    sequence: str = ""
    ahead: bool = False
    adapters: tuple[Adapter, ...] = ()


class Describe(_Frame, frozen=True, tag="describe"):
    """Ask for an EngineInfo, with the devices of further computers (HOST:PORT) where they are named."""

    id: int
    rpc: tuple[str, ...] = ()


class Keep(_Frame, frozen=True, tag="keep"):
    """Write the snapshot of a conversation to the file its last Generate or Restore named, if it differs from that."""

    id: int
    sequence: str


class Restore(_Frame, frozen=True, tag="restore"):
    """Bring a conversation back into memory from the file `snapshot`, unless it is there already."""

    id: int
    sequence: str
    snapshot: str
    snapshot_limit: int = 0
    adapters: tuple[Adapter, ...] = ()


class Forget(_Frame, frozen=True, tag="forget"):
    """A conversation is gone: drop it from memory, and write nothing of it any more."""

    id: int
    sequence: str


class Plan(_Frame, frozen=True, tag="plan"):
    """Ask how much memory a model would take, and where. Only the header of `path` is read; its tensors may be a hole.

    What is loaded stays loaded.
    """

    id: int
    path: str
    options: LoadOptions


class Gauge(_Frame, frozen=True, tag="gauge"):
    """Ask how fast a device of this computer reads and computes, by its name. Nothing else is answered meanwhile."""

    id: int
    device: str


class Cancel(_Frame, frozen=True, tag="cancel"):
    """Stop the load or generation `target`. It still ends with its own terminal event; this command has none."""

    target: int


class Ping(_Frame, frozen=True, tag="ping"):
    """Heartbeat; answered by Pong(n) from the thread that reads commands."""

    n: int


class Shutdown(_Frame, frozen=True, tag="shutdown"):
    """Finish at once and exit with 0. End of input means the same."""


Request = Load | Unload | Generate | Measure | Describe | Plan | Gauge | Keep | Restore | Forget
Command = Request | Cancel | Ping | Shutdown


# --- events -------------------------------------------------------------------------------------------------------


class Hello(_Frame, frozen=True, tag="hello"):
    """The first frame of a child: it is ready for commands."""

    protocol: int
    pid: int
    llama_cpp: str


class Progress(_Frame, frozen=True, tag="progress"):
    """`load`: done of total bytes of the file. `prompt`: done of total tokens, the cached ones included in both."""

    id: int
    phase: str
    done: float
    total: float


class Started(_Frame, frozen=True, tag="started"):
    """The prompt is rendered; reading begins. `thinking_open`: it ends inside an opened thinking block."""

    id: int
    prompt_tokens: int
    cached_tokens: int
    thinking_open: bool


class Delta(_Frame, frozen=True, tag="delta"):
    """Newly generated text (whole characters only) and the tokens sampled since the last Delta.

    Text that could still become a stop string is held back, so text and tokens need not belong together one by one.
    """

    id: int
    text: str
    token_ids: list[int]


class Finished(_Frame, frozen=True, tag="finished"):
    """A generation ended in an orderly way; every character was sent before."""

    id: int
    facts: GenerationFacts


class Loaded(_Frame, frozen=True, tag="loaded"):
    id: int
    model: LoadedModel


class Unloaded(_Frame, frozen=True, tag="unloaded"):
    id: int


class Measured(_Frame, frozen=True, tag="measured"):
    """`total` tokens of the whole prompt, generation prompt included, and of `spans` those each message adds.

    `cached`: how many tokens at the beginning are in the cache for the named sequence.
    """

    id: int
    total: int
    spans: list[int]
    limit: int
    cached: int = 0


class Described(_Frame, frozen=True, tag="described"):
    id: int
    info: EngineInfo


class Planned(_Frame, frozen=True, tag="planned"):
    id: int
    plan: MemoryPlan


class Gauged(_Frame, frozen=True, tag="gauged"):
    """Zeros where it could not be measured. What a layer costs besides is not known from this."""

    id: int
    speed: DeviceSpeed


class Kept(_Frame, frozen=True, tag="kept"):
    """`tokens` of a conversation are in its file, of `size_bytes`. 0 bytes: nothing was written now, because nothing
    had changed, or it could not be."""

    id: int
    tokens: int
    size_bytes: int = 0


class Restored(_Frame, frozen=True, tag="restored"):
    """So many tokens of a conversation are in memory; 0 when there was nothing valid."""

    id: int
    tokens: int


class Forgotten(_Frame, frozen=True, tag="forgotten"):
    id: int


class Failed(_Frame, frozen=True, tag="failed"):
    """A command failed. `detail` is technical; sentences are made on the parent's side from code and numbers.

    `model_kept`: for a failed load, the previous model is still loaded.
    """

    id: int
    code: str
    detail: str = ""
    numbers: dict[str, int] = {}
    model_kept: bool = False


class Pong(_Frame, frozen=True, tag="pong"):
    n: int


Ended = Loaded | Unloaded | Finished | Measured | Described | Planned | Gauged | Kept | Restored | Forgotten | Failed
Event = Hello | Progress | Started | Delta | Ended | Pong
TERMINAL = (Loaded, Unloaded, Finished, Measured, Described, Planned, Gauged, Kept, Restored, Forgotten, Failed)
