"""Frozen data about models and generation that every side may read: window, command line, services, both processes.

Only values: no I/O, no behaviour beyond derived numbers. The fields travel over the wire as they are (protocol.py).
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from app.engine.hardware import Device, DeviceShare, Fit, Machine

TemplateOptions = dict[str, Any]

THINKING_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought", "<channel|>"),
)
"""What reasoning models write around their thinking."""
KEPT = "What was written so far is kept."
"""What a sentence of an engine that ended says of the reply; not true of what is temporary."""
CHANNEL, MESSAGE, MESSAGE_END, NEXT_MESSAGE = "<|channel|>", "<|message|>", "<|end|>", "<|start|>"
"""What models with channels (gpt-oss) write around each message of a reply: the last one, `final`, is the answer."""


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the next token is drawn. The chain in llama.cpp: penalties, top-k, top-p, min-p, temperature, in this order.

    `seed` None draws a fresh one, which is reported back. `temperature` 0 is greedy. `top_k` 0, `top_p` 1, `min_p` 0
    and `repeat` 1 switch their step off. `max_tokens` 0 means: until the model ends or the window is full.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat: float = 1.0
    repeat_last_n: int = 64
    frequency: float = 0.0
    presence: float = 0.0
    seed: int | None = None
    max_tokens: int = 0


class PromptMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message as the chat template sees it.

    `token_ids` are the tokens that were sampled for this very text, usable only when `tokenizer` (a hash) is that of
    the loaded model; they are spliced into the prompt instead of tokenising the text again.
    """

    role: str
    content: str
    thinking: str = ""
    token_ids: list[int] = []
    tokenizer: str = ""


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """A LoRA adapter laid over a model: its GGUF file, and how strongly (1 is as it was made, 0 is not at all)."""

    path: str
    scale: float = 1.0


class AdapterFile(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter as a list shows it. `architecture` is that of the models it belongs to, `base` the name of the one it
    was made for, where the file says; `rank` is how much it can change, `problem` why it cannot be used."""

    path: str
    name: str
    architecture: str = ""
    base: str = ""
    rank: int = 0
    size_bytes: int = 0
    problem: str = ""


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One reply to be written. `sequence` names the conversation: the same name finds its KV cache again.

    `continue_final` leaves the last (assistant) message open, so that its text is continued. `shift`: what is missing
    at the front of the prompt left by rolling, so that positions in the cache may be shifted instead of processing all
    again. `snapshot` names the file where the state of this sequence goes when it leaves memory, and is looked for;
    empty: never. `snapshot_limit`: a larger one, in bytes, is not written; 0 is no limit. `guess`: tokens may be
    guessed ahead from what was said before, where that is faster; what is written stays the model's own. `adapters`
    are laid over the model for this reply, in this order; what is cached belongs to them too.
    """

    sequence: str
    messages: list[PromptMessage]
    sampling: Sampling = Sampling()
    stop: list[str] = []
    template_options: TemplateOptions = {}
    continue_final: bool = False
    shift: bool = False
    snapshot: str = ""
    snapshot_limit: int = 0
    guess: bool = True
    adapters: tuple[Adapter, ...] = ()


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a model is loaded. 0 for threads means the physical cores.

    `n_ctx` is the window of one conversation, at most what the model was trained for; 0 means min(trained length,
    8192). `n_cells` are the tokens that all conversations share in memory, 0 for as many as the window; `n_seq_max` is
    how many conversations have a place there, and so how many replies are written at the same time.

    `n_gpu_layers` counts the output layer as llama.cpp does; -1 is all of them. They go to `devices`, by ggml's names
    and in this order; none named: to all that can take layers. `layers_on` says how many go to each device, the first
    ones of the model to the first device, and in sum is `n_gpu_layers`; empty: llama.cpp spreads them by free memory.
    The experts of the first `n_cpu_experts` layers stay in main memory wherever their layer is. `offload_kv`: the KV
    cache of a layer lies where the layer does, else in main memory. `use_mmap`: weights in main memory are the pages
    of the file, else a copy; None: mapped, unless `placing` finds the copy better. `rpc` are further
    computers (HOST:PORT, started with `inglenook worker`) whose devices take part.
    """

    n_ctx: int = 0
    n_batch: int = 512
    n_ubatch: int = 512
    n_threads: int = 0
    n_gpu_layers: int = -1
    type_k: str = "f16"
    type_v: str = "f16"
    use_mmap: bool | None = None
    use_mlock: bool = False
    n_seq_max: int = 1
    n_cells: int = 0
    devices: tuple[str, ...] = ()
    layers_on: tuple[int, ...] = ()
    n_cpu_experts: int = 0
    offload_kv: bool = True
    rpc: tuple[str, ...] = ()

    @property
    def mapped(self) -> bool:
        """Whether a worker that is given these options maps the file."""
        return self.use_mmap is not False


class LoadedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model once it is loaded. `tokenizer` is a hash of the vocabulary, stable across processes.

    `n_ctx` is the window of a conversation; up to `n_seq_max` conversations share `n_cells` tokens. `can_shift`:
    what follows a gap in a conversation can be moved up without processing it again. `shares`: what the loader said it
    took of each device, beginning with the CPU's. `mapped`: weights in main memory are pages of the file, which the
    system can give up at any time.
    """

    path: str
    name: str
    architecture: str
    description: str
    size_bytes: int
    n_params: int
    n_ctx: int
    n_ctx_train: int
    n_vocab: int
    n_layer: int
    n_gpu_layers: int
    n_threads: int
    tokenizer: str
    has_template: bool
    can_think: bool
    load_s: float
    n_cells: int = 0
    n_seq_max: int = 1
    can_shift: bool = False
    shares: tuple[DeviceShare, ...] = ()
    mapped: bool = True


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's own identity: versions, build, devices, and the model it holds, if any."""

    llama_cpp: str
    llama_cpp_build: str
    system_info: str
    devices: list[Device]
    supports_gpu_offload: bool
    model: LoadedModel | None


class Preference(enum.StrEnum):
    """What a load plan is made for, where not everything fits at once."""

    FASTEST = "fastest"
    LONGEST = "longest"
    LEAST = "least"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rung down from a plan that did not work: other options, and the line that says what was given up."""

    options: LoadOptions
    sentence: str


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a model would be loaded on `machine`, for a person to see and change before it happens.

    `suggested` are the options that Inglenook would choose by itself. `stepped_down`: the sentence of the step that
    worked the last time, where the full plan did not; empty otherwise. `by_person`: the options were set by hand.
    `n_layer` counts without the output layer.
    """

    options: LoadOptions
    suggested: LoadOptions
    fit: Fit
    machine: Machine
    n_layer: int
    n_ctx_train: int
    n_expert_layers: int = 0
    stepped_down: str = ""
    by_person: bool = False


class GenerationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one generation measured. Seconds are wall time in the engine process.

    `prompt_tokens` counts the whole prompt, `cached_tokens` the part of it taken from the KV cache. `ttft_s` runs from
    the arrival of the command to the first sampled token. `finish_reason`: stop (end token or stop string), length
    (max_tokens or the window is full), stopped (asked to). `shifted_tokens`: of the cached ones, those that moved up
    over a gap; `dropped_tokens` were in the cache for this conversation and could not be used. `drafted_tokens` were
    guessed ahead of the model, and it agreed with `accepted_tokens` of them.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    prompt_s: float
    decode_s: float
    ttft_s: float
    seed: int
    finish_reason: str
    shifted_tokens: int = 0
    dropped_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0

    @property
    def tokens_per_s(self) -> float:
        """Decode speed: tokens after the first one over the time they took; 0 when there is no second token."""
        return (self.completion_tokens - 1) / self.decode_s if self.completion_tokens > 1 and self.decode_s > 0 else 0.0


class Origin(enum.StrEnum):
    """Where a model file comes from, and so whose it is: the person's own, another program's, or ours."""

    OWN = "own"
    FOLDER = "folder"
    FILE = "file"
    LM_STUDIO = "lm_studio"
    OLLAMA = "ollama"
    HUGGING_FACE = "hugging_face"
    STARTER = "starter"


class ModelPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A further place where the same content lies. `id` is the row of that place."""

    id: str
    path: str
    origin: Origin
    away: bool = False


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the library: a GGUF file, or the first of the `parts` of a split one.

    `id` is the row's id; `fingerprint` is cheap (header, size, sampled blocks). Size and parameters are those of all
    parts together, `mtime_ns` is the latest of theirs, `sha256` has one digest for each, in order, or is empty while
    unknown. `projector` is the path of the file with which it sees pictures. `repo`, `commit` and `remote_path` say
    where on the Hub it came from. `also_at`: the same content lies there too. `away`: it lies in a folder or on a drive
    that is not there now.
    """

    id: str
    path: str
    name: str
    architecture: str
    quantization: str
    size_bytes: int
    n_params: int
    n_ctx_train: int
    fingerprint: str
    is_starter: bool = False
    license: str = ""
    problem: str = ""
    origin: Origin = Origin.OWN
    parts: int = 1
    mtime_ns: int = 0
    sha256: tuple[str, ...] = ()
    repo: str = ""
    commit: str = ""
    remote_path: str = ""
    projector: str = ""
    also_at: tuple[ModelPlace, ...] = ()
    away: bool = False
    adapter: AdapterFile | None = None
