"""Which family a model belongs to and how many parameters it has, from what its repository says of itself.

A family is what people look for ('Llama', 'Qwen'), not an architecture of llama.cpp: many models of other families use
the llama architecture. So a name counts first, and the architecture only where no name tells.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_PARAMS = 10**14


class Family(NamedTuple):
    """`name` is shown, `words` is a pattern for names, `architectures` are beginnings of general.architecture.

    `search` is one word that most of its repositories carry in their name, or ''.
    """

    name: str
    words: str
    architectures: tuple[str, ...] = ()
    search: str = ""


FAMILIES = (
    Family("Llama", r"(?<!o)llama(?!cpp|file)|vicuna", ("llama",), "llama"),
    Family("Mistral", r"mi(?:s|x|nis)tral|(?:dev|code|math|lean)stral|magistral|(?:pi|vo)xtral|zephyr", ("mistral",)),
    Family("Qwen", r"qwen|qwq|qvq", ("qwen",), "qwen"),
    Family("DeepSeek", r"deep-?seek", ("deepseek",), "deepseek"),
    Family("Gemma", r"gemma", ("gemma",), "gemma"),
    Family("Phi", r"(?<![a-z])phi(?![a-z])", ("phi",), "phi"),
    Family("Yi", r"(?<![a-z])yi(?![a-z])"),
    Family("Falcon", r"falcon", ("falcon",), "falcon"),
    Family("OLMo", r"olmoe?(?![a-z])", ("olmo",), "olmo"),
    Family("gpt-oss", r"gpt-?oss", ("gpt-oss", "gptoss"), "gpt-oss"),
    Family("Granite", r"granite", ("granite",), "granite"),
    Family("SmolLM", r"smol-?(?:lm|vlm)", ("smollm",), "smol"),
    Family("Command", r"command-?[ra](?![a-z])|c4ai|(?<![a-z])aya(?![a-z])", ("command-r", "cohere")),
    Family("GLM", r"(?<![a-z])(?:chat)?glm(?![a-z])", ("glm", "chatglm"), "glm"),
    Family("Nemotron", r"nemotron", ("nemotron",), "nemotron"),
    Family("Kimi", r"kimi|moonlight", ("kimi",), "kimi"),
    Family("MiniMax", r"minimax", ("minimax",), "minimax"),
    Family("LFM", r"(?<![a-z])lfm(?![a-z])", ("lfm",), "lfm"),
    Family("Ernie", r"ernie", ("ernie",), "ernie"),
    Family("Hunyuan", r"hunyuan", ("hunyuan",), "hunyuan"),
    Family("EXAONE", r"exaone", ("exaone",), "exaone"),
    Family("InternLM", r"intern(?:lm|vl|s)", ("internlm",), "intern"),
    Family("Apertus", r"apertus", ("apertus",), "apertus"),
    Family("Seed", r"seed-?oss", ("seed_oss",), "seed-oss"),
    Family("StableLM", r"stable-?lm", ("stablelm",), "stablelm"),
    Family("BitNet", r"bitnet", ("bitnet",), "bitnet"),
    Family("RWKV", r"rwkv", ("rwkv",), "rwkv"),
    Family("Mamba", r"(?<![a-z])mamba", ("mamba",), "mamba"),
)
_NAMED = {family.name.lower(): family for family in FAMILIES}
_WORDS = tuple((family, re.compile(family.words)) for family in FAMILIES)
_COUNT = re.compile(
    r"""(?<![A-Za-z0-9.])
    (?: (?P<experts>\d{1,3}) x )?
    (?P<number>\d{1,4} (?: [.p]\d{1,3} )?)
    (?P<unit>[bmt])
    (?![A-Za-z0-9])""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_UNITS = {"m": 10**6, "b": 10**9, "t": 10**12}


def family_named(name: str) -> Family | None:
    """The family called so, in any case."""
    return _NAMED.get(name.strip().lower())


def family(architecture: str, *names: str) -> str:
    """The family's name, or ''. `names` from the closest to the furthest: the repository's name, then its base model's.

    Within one name the first word that tells wins: a DeepSeek distilled into a Qwen is a DeepSeek.
    """
    for name in names:
        own = name.rpartition("/")[2].lower().replace("_", "-")
        found = [(match.start(), told.name) for told, words in _WORDS if (match := words.search(own))]
        if found:
            return min(found)[1]
    known = architecture.lower()
    return next((told.name for told in FAMILIES if known and known.startswith(told.architectures)), "")


def params_from_name(name: str) -> int:
    """How many parameters a name states ('8B', '270M', '30B-A3B' is 30B, '8x7B' is 56B at most), or 0.

    Billions count before millions: '7B-1M' is a 7B with a context of a million.
    """
    own = name.rpartition("/")[2]
    best = {"m": 0, "b": 0, "t": 0}
    for match in _COUNT.finditer(own):
        unit = match["unit"].lower()
        number = float(match["number"].lower().replace("p", "."))
        count = round(number * _UNITS[unit]) * int(match["experts"] or 1)
        best[unit] = max(best[unit], count)
    count = best["b"] or best["t"] or best["m"]
    return count if 0 < count <= MAX_PARAMS else 0
