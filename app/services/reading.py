"""What a model file's own header says of it, as the library lists it and as a person may want to see it whole.

Reads headers and a megabyte of each file, never more. Nothing is kept here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.engine.adapters import describe, read_adapter
from app.engine.errors import AdapterMisfit, EngineError, NotAChatModel, printable
from app.engine.gguf import check_loadable, file_type, fingerprint_of, fingerprint_of_parts, open_model
from app.engine.gguf_header import Header, read_header
from app.engine.gguf_types import TENSOR_TYPES
from app.engine.values import AdapterFile, ModelFile, Origin
from app.hub.elsewhere.folders import parts_of
from app.services.shelves import Spot
from app.store.text import storable

STARTER_LICENSE = "Apache-2.0"
MAX_NAME = 120

Stamp = tuple[int, int]
"""When a model's files were last written (the latest of them, ns), and their bytes together. (0, 0): not there."""


class ModelDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A model's header in a person's terms. Zero or empty: the header does not say.

    `template` tells whether it brings a chat template. `types`: how many of its tensors are of which type.
    """

    architecture: str
    name: str
    basename: str
    author: str
    license: str
    license_link: str
    base_model: str
    quantized_by: str
    quantization: str
    size_label: str
    context_length: int
    layers: int
    embedding_length: int
    heads: int
    kv_heads: int
    experts: int
    experts_used: int
    vocabulary: int
    tokenizer: str
    template: bool
    tensors: int
    types: dict[str, int]
    gguf_version: int


def stamp_of(path: Path) -> Stamp:
    """Of a model by its first file."""
    try:
        found = [part.stat() for part in parts_of(path)]
    except (OSError, ValueError):
        return 0, 0
    return max(status.st_mtime_ns for status in found), sum(status.st_size for status in found)


def read_model(spot: Spot, stamp: Stamp) -> ModelFile:
    """What is known of a model without an id. What is wrong with it stands in `problem`."""
    found, path = spot.found, Path(spot.found.path)
    starter = spot.origin is Origin.STARTER
    parts = parts_of(path)
    model = ModelFile(
        id="", path=found.path, name=storable(_line(found.name) or path.stem), architecture="", quantization="",
        size_bytes=stamp[1], n_params=0, n_ctx_train=0, fingerprint="", is_starter=starter,
        license=STARTER_LICENSE if starter else "", origin=spot.origin, parts=len(parts), mtime_ns=stamp[0],
    )  # fmt: skip
    try:
        header = check_loadable(path)
        headers = [header]
        digests: list[str] = []
        for part in parts:
            with open_model(part) as (read_at, size):
                one = header if part == path else read_header(read_at, size)
                digests.append(fingerprint_of(read_at, one))
            headers += [one] if part != path else []
        return with_place(
            msgspec.structs.replace(
                model,
                name=_name(spot, header),
                architecture=header.architecture,
                quantization=file_type(header),
                n_params=sum(tensor.elements for one in headers for tensor in one.tensors),
                n_ctx_train=header.number("{arch}.context_length"),
                fingerprint=fingerprint_of_parts(digests),
                license=header.text("general.license") or model.license,
                problem=found.problem,
            ),
            spot,
        )
    except EngineError as error:
        adapter = _adapter(path) if isinstance(error, NotAChatModel) and error.detail == "adapter" else None
        return with_place(msgspec.structs.replace(model, problem=error.sentence, adapter=adapter), spot)


def _adapter(path: Path) -> AdapterFile:
    try:
        return describe(path, read_adapter(path))
    except AdapterMisfit as error:
        return AdapterFile(path=str(path), name=path.stem, problem=error.sentence)


def with_place(model: ModelFile, spot: Spot) -> ModelFile:
    """The model with what its place says of it: whose it is, its projector, where on the Hub it came from."""
    found = spot.found
    model = msgspec.structs.replace(
        model, origin=spot.origin, is_starter=spot.origin is Origin.STARTER, projector=found.projector
    )
    if len(found.sha256) == model.parts:
        model = msgspec.structs.replace(model, sha256=found.sha256)
    if not found.repo:
        return model
    return msgspec.structs.replace(model, repo=found.repo, commit=found.commit, remote_path=found.remote_path)


def read_details(path: Path) -> ModelDetails:
    """A model's header, by its first file. Raises a ModelFileError."""
    with open_model(path) as (read_at, size):
        header = read_header(read_at, size)
    types: dict[str, int] = {}
    for tensor in header.tensors:
        name = TENSOR_TYPES[tensor.type][0]
        types[name] = types.get(name, 0) + 1
    number = header.number
    return ModelDetails(
        architecture=_line(header.architecture),
        name=_said(header, "general.name"),
        basename=_said(header, "general.basename"),
        author=_said(header, "general.author") or _said(header, "general.organization"),
        license=_said(header, "general.license.name") or _said(header, "general.license"),
        license_link=_said(header, "general.license.link"),
        base_model=_said(header, "general.base_model.0.name"),
        quantized_by=_said(header, "general.quantized_by"),
        quantization=file_type(header),
        size_label=_said(header, "general.size_label"),
        context_length=number("{arch}.context_length"),
        layers=number("{arch}.block_count"),
        embedding_length=number("{arch}.embedding_length"),
        heads=_most(header, "attention.head_count"),
        kv_heads=_most(header, "attention.head_count_kv"),
        experts=number("{arch}.expert_count"),
        experts_used=number("{arch}.expert_used_count"),
        vocabulary=number("{arch}.vocab_size"),
        tokenizer=_said(header, "tokenizer.ggml.model"),
        template=bool(header.text("tokenizer.chat_template")),
        tensors=len(header.tensors),
        types=dict(sorted(types.items(), key=lambda pair: -pair[1])),
        gguf_version=header.version,
    )


def _name(spot: Spot, header: Header) -> str:
    """Our own model is called by its file, without its quantization: its header names an experiment."""
    path = Path(spot.found.path)
    if spot.origin is Origin.STARTER:
        quantization = file_type(header)
        return path.stem.removesuffix(f".{quantization}") if quantization else path.stem
    return storable(_line(spot.found.name) or _said(header, "general.name") or path.stem)


def _most(header: Header, key: str) -> int:
    """A count, or the largest where every layer has its own."""
    value = header.metadata.get(f"{header.architecture}.{key}")
    if isinstance(value, tuple):
        return max((one for one in value if isinstance(one, int)), default=0)
    return header.number(f"{{arch}}.{key}")


def _said(header: Header, key: str) -> str:
    return _line(header.text(key))


def _line(text: str) -> str:
    return printable(text, MAX_NAME)
