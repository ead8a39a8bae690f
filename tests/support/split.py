"""Splits a GGUF file in two, as llama.cpp's gguf-split does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf


def split_in_two(source: Path, folder: Path, stem: str = "") -> list[Path]:
    """Two parts of a model in `folder`: the first with all metadata and half of the tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    reader = gguf.GGUFReader(source)
    half = len(reader.tensors) // 2
    paths = [folder / f"{stem or source.stem}-0000{number}-of-00002.gguf" for number in (1, 2)]
    for number, (path, tensors) in enumerate(zip(paths, (reader.tensors[:half], reader.tensors[half:]), strict=True)):
        writer = gguf.GGUFWriter(path, str(reader.fields["general.architecture"].contents()))
        if number == 0:
            for name, field in reader.fields.items():
                if not name.startswith("GGUF.") and name != "general.architecture":
                    value: Any = field.contents()
                    kind = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
                    writer.add_key_value(name, value, field.types[0], sub_type=kind)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", 2)
        writer.add_int32("split.tensors.count", len(reader.tensors))
        for tensor in tensors:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return paths
