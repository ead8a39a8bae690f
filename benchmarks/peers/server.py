"""llama.cpp's own server, from the xllamacpp wheel, on a free port of the loopback. It serves until its stdin ends."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.peers.answering import answer_lines, keep_stdout


def main() -> None:
    """Argument: the options as one JSON object. The first line says where it listens; no question is answered."""
    out = keep_stdout()
    import xllamacpp

    options = json.loads(sys.argv[1])
    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.n_ctx = options["n_ctx"]
    params.n_batch = params.n_ubatch = options["n_batch"]
    params.n_gpu_layers = options["n_gpu_layers"]
    params.cpuparams.n_threads = options["n_threads"]
    params.cpuparams_batch.n_threads = options["n_threads"]
    params.n_parallel = options.get("n_parallel", 1)
    params.kv_unified = True  # as the engine has it: all streams share the cells
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    server = xllamacpp.Server(params)

    def refuse(question: dict[str, Any]) -> dict[str, Any]:
        return {"error": f"ask over HTTP, not {sorted(question)}"}

    answer_lines({"address": server.listening_address}, refuse, out)


if __name__ == "__main__":
    main()
