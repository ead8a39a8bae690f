"""Every option of the application, declared once: type, range, default, label and help. Pages and documentation read
this.

An option is a field of a frozen group; its dotted name is group.field. Ranges and choices live in the type, so that
a file is checked by the same declaration. No reading or writing of files here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from app.engine.values import LoadOptions, Sampling


def _said(label: str, text: str, **limits: Any) -> Meta:
    return Meta(title=label, description=text, **limits)


class _Group(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Appearance(_Group, frozen=True, kw_only=True):
    """How the window looks."""

    theme: Annotated[
        Literal["system", "paper", "night"],
        _said("Theme", "Paper is light, Night is dark, System follows the desktop."),
    ] = "system"
    text_size: Annotated[int, _said("Text size", "Size of the text of conversations, in pixels.", ge=13, le=20)] = 15
    column: Annotated[
        Literal["narrow", "normal", "wide"], _said("Column width", "How long the lines of a conversation may get.")
    ] = "normal"
    line_height: Annotated[
        float, _said("Line height", "Distance of lines, as a multiple of the text size.", ge=1.2, le=2.0)
    ] = 1.55
    less_motion: Annotated[bool, _said("Less motion", "Nothing slides or pulses.")] = False


class Generation(_Group, frozen=True, kw_only=True):
    """How replies are written, unless a conversation has its own choice."""

    system_prompt: Annotated[
        str, _said("System prompt", "What the model is told before every conversation.", max_length=100_000)
    ] = ""
    temperature: Annotated[
        float, _said("Temperature", "Higher is more surprising; 0 always takes the likeliest word.", ge=0.0, le=5.0)
    ] = 0.7
    top_k: Annotated[
        int, _said("Top-k", "Only this many of the likeliest tokens are considered; 0 is no limit.", ge=0, le=100_000)
    ] = 40
    top_p: Annotated[
        float,
        _said("Top-p", "Only the likeliest tokens that together reach this share; 1 is no limit.", ge=0.0, le=1.0),
    ] = 0.95
    min_p: Annotated[
        float,
        _said("Min-p", "Leaves out tokens less likely than this share of the likeliest; 0 is off.", ge=0.0, le=1.0),
    ] = 0.05
    repeat: Annotated[
        float, _said("Repeat penalty", "Above 1 makes recent tokens less likely; 1 is off.", ge=0.0, le=5.0)
    ] = 1.0
    repeat_last_n: Annotated[
        int, _said("Repeat window", "How many recent tokens the penalties look at; -1 is all.", ge=-1, le=1_000_000)
    ] = 64
    frequency: Annotated[
        float, _said("Frequency penalty", "Less likely the more often a token was used; 0 is off.", ge=-2.0, le=2.0)
    ] = 0.0
    presence: Annotated[
        float, _said("Presence penalty", "Less likely once a token was used at all; 0 is off.", ge=-2.0, le=2.0)
    ] = 0.0
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=2**32 - 2)] | None,
        _said("Seed", "The same seed repeats the same draws; empty draws a fresh one."),
    ] = None
    max_tokens: Annotated[
        int, _said("Longest reply", "In tokens; 0 lets the model end by itself.", ge=0, le=10_000_000)
    ] = 0

    def sampling(self) -> Sampling:
        """These defaults as the engine takes them."""
        return Sampling(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repeat=self.repeat,
            repeat_last_n=self.repeat_last_n,
            frequency=self.frequency,
            presence=self.presence,
            seed=self.seed,
            max_tokens=self.max_tokens,
        )


class Engine(_Group, frozen=True, kw_only=True):
    """How models are loaded."""

    n_ctx: Annotated[
        int,
        _said("Context length", "Tokens the model can see; 0 chooses by the model, up to 8,192.", ge=0, le=10_000_000),
    ] = 0
    n_threads: Annotated[
        int, _said("Threads", "Processor threads to compute with; 0 takes the physical cores.", ge=0, le=1024)
    ] = 0
    preference: Annotated[
        Literal["fastest", "longest", "least"],
        _said("Prefer", "What to go for where not everything fits: speed, a long context, or little memory."),
    ] = "fastest"
    n_gpu_layers: Annotated[
        int, _said("Layers on the graphics card", "-1 is all of them, 0 is none.", ge=-1, le=10_000)
    ] = -1
    mmap: Annotated[
        Literal["auto", "always", "never"],
        _said(
            "Map the file",
            "Whether weights in main memory are pages of the file, given up when memory is short, or a copy; auto "
            "copies where that is faster and there is room for twice as much.",
        ),
    ] = "auto"
    use_mlock: Annotated[
        bool, _said("Keep in memory", "The system may not move the model out of main memory while it is loaded.")
    ] = False
    unload_minutes: Annotated[
        int,
        _said(
            "Unload after",
            "Minutes without a message after which the model's memory is given back; 0 keeps it.",
            ge=0,
            le=100_000,
        ),
    ] = 60
    workers: Annotated[
        tuple[str, ...],
        _said("Other computers", "As HOST:PORT; started there with `inglenook worker`, they take a part of a model."),
    ] = ()
    auto_load: Annotated[
        bool,
        _said("Load the last model at start", "The first answer comes sooner; otherwise the first message loads it."),
    ] = False
    read_ahead: Annotated[
        bool,
        _said(
            "Read while you type",
            "The model reads what you type before you send it, so that the answer begins at once; it costs some power.",
        ),
    ] = True
    guess_ahead: Annotated[
        bool,
        _said(
            "Guess ahead",
            "Text that repeats what was said before is written faster; the words stay the model's own.",
        ),
    ] = True


class Cache(_Group, frozen=True, kw_only=True):
    """What the engine remembers of conversations, in memory and on disk, so that nothing is read twice."""

    cells: Annotated[
        int,
        _said(
            "Shared cells",
            "Tokens of all conversations together that stay in memory; 0 chooses by the model and the memory.",
            ge=0,
            le=100_000_000,
        ),
    ] = 0
    parallel: Annotated[
        int, _said("Replies at the same time", "Of different conversations; others wait.", ge=1, le=16)
    ] = 4
    type_k: Annotated[
        Literal["f16", "q8_0", "q4_0"],
        _said("Keys", "f16 is exact; q8_0 takes half the memory, q4_0 a quarter, and answers change a little."),
    ] = "f16"
    type_v: Annotated[
        Literal["f16", "q8_0", "q4_0"],
        _said("Values", "As for the keys; other types than f16 need flash attention, which is used by itself."),
    ] = "f16"
    snapshots: Annotated[
        bool,
        _said(
            "Keep conversations ready on the disk",
            "A long one then goes on at once after a restart, instead of being read again.",
        ),
    ] = True
    snapshots_bytes: Annotated[
        int,
        _said(
            "Room for that on the disk",
            "In bytes; those unused for longest go first. 0 takes a tenth of what is free, 16 GB at most.",
            ge=0,
            le=10**15,
        ),
    ] = 0


class General(_Group, frozen=True, kw_only=True):
    """Where things are, and what was used last."""

    last_model_id: Annotated[str, _said("Last model", "The model that was used last.")] = ""
    models_dir: Annotated[
        str, _said("Folder of models", "Where your GGUF files are; empty is the folder `models` in the data folder.")
    ] = ""


class Models(_Group, frozen=True, kw_only=True):
    """Where models are looked for besides the folder of models. Nothing is moved or copied."""

    folders: Annotated[tuple[str, ...], _said("Further folders", "GGUF files in them are used where they lie.")] = ()
    files: Annotated[tuple[str, ...], _said("Single model files", "GGUF files used where they lie.")] = ()
    lm_studio: Annotated[bool, _said("Models of LM Studio", "Used where they lie, never changed.")] = True
    ollama: Annotated[bool, _said("Models of Ollama", "Used where they lie, never changed.")] = True
    hugging_face: Annotated[bool, _said("Models in the Hugging Face cache", "Used where they lie, never changed.")] = (
        True
    )


class Network(_Group, frozen=True, kw_only=True):
    """Whether and how the network is reached."""

    mode: Annotated[
        Literal["ask", "online", "offline"],
        _said("Network", "Offline until you say so; online is for finding and getting models, nothing else."),
    ] = "ask"
    endpoint: Annotated[
        str,
        _said("Model hub", "Address of a mirror; empty is HF_ENDPOINT or https://huggingface.co.", max_length=2_000),
    ] = ""
    proxy: Annotated[
        str,
        _said(
            "Proxy",
            "As http://proxy.example:8080; empty takes HTTPS_PROXY and NO_PROXY, or the system's.",
            max_length=2_000,
        ),
    ] = ""
    ca_file: Annotated[
        str, _said("Certificate file", "Further certificates to trust (PEM), as a company's proxy needs.")
    ] = ""
    card_images: Annotated[
        bool, _said("Pictures in model cards", "They lie anywhere on the network, and their hosts see you look.")
    ] = False
    token_hosts: Annotated[
        tuple[str, ...],
        _said("Hosts that get the access token", "Besides the hub itself, for example a mirror's file server."),
    ] = ()


class Downloads(_Group, frozen=True, kw_only=True):
    """How models are downloaded."""

    at_once: Annotated[int, _said("Downloads at a time", "Others wait for their turn.", ge=1, le=8)] = 2
    ranges: Annotated[
        int, _said("Connections per file", "Several are faster where a server limits each.", ge=1, le=16)
    ] = 8
    limit_bytes_per_s: Annotated[
        int, _said("Speed limit", "Bytes per second for all downloads together; 0 is none.", ge=0, le=10**12)
    ] = 0


class Settings(_Group, frozen=True, kw_only=True):
    """All groups together. Frozen: a change makes a new value."""

    appearance: Appearance = Appearance()
    generation: Generation = Generation()
    engine: Engine = Engine()
    general: General = General()
    models: Models = Models()
    network: Network = Network()
    downloads: Downloads = Downloads()
    cache: Cache = Cache()

    def load_options(self) -> LoadOptions:
        """How models are loaded, as the engine takes it. 0 cells: still to be chosen."""
        engine, cache = self.engine, self.cache
        return LoadOptions(
            n_ctx=engine.n_ctx,
            n_cells=cache.cells,
            n_seq_max=cache.parallel,
            n_threads=engine.n_threads,
            n_gpu_layers=engine.n_gpu_layers,
            use_mmap={"auto": None, "always": True, "never": False}[engine.mmap],
            use_mlock=engine.use_mlock,
            rpc=engine.workers,
            type_k=cache.type_k,
            type_v=cache.type_v,
        )


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One declared option, as a page or a document shows it. `minimum` and `maximum` are None where there is no
    range."""

    name: str
    label: str
    help: str
    default: object
    kind: type
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    optional: bool = False


def options() -> list[Option]:
    """Every option in order of declaration."""
    found: list[Option] = []
    for group in msgspec.structs.fields(Settings):
        hints = get_type_hints(group.type, include_extras=True)
        for field in msgspec.structs.fields(group.type):
            found.append(_option(f"{group.name}.{field.name}", hints[field.name], field.default))
    return found


def _option(name: str, annotated: Any, default: object) -> Option:
    plain, meta = get_args(annotated)[:2]
    assert isinstance(meta, Meta)
    limits = meta
    optional = type(None) in get_args(plain)
    if optional:
        plain = next(kind for kind in get_args(plain) if kind is not type(None))
        if get_origin(plain) is Annotated:
            plain, limits = get_args(plain)[:2]
    choices = tuple(str(choice) for choice in get_args(plain)) if get_origin(plain) is Literal else ()
    return Option(
        name=name,
        label=meta.title or name,
        help=meta.description or "",
        default=default,
        kind=str if choices else get_origin(plain) or plain,
        choices=choices,
        minimum=limits.ge,
        maximum=limits.le,
        optional=optional,
    )
