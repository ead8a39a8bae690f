"""llama-cpp-python as most programs use it: `Llama.create_chat_completion`, streaming, in the process of its caller.

A question {messages, tokens, seed, sampling} is answered by {tokens, decode_s}: tokens that came as text, and the time
from the first piece of text to the last one.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.peers.answering import answer_lines, keep_stdout


def main() -> None:
    """Argument: the options as one JSON object."""
    out = keep_stdout()
    from llama_cpp import Llama

    options = json.loads(sys.argv[1])
    llama = Llama(
        options["model"],
        n_ctx=options["n_ctx"],
        n_batch=options["n_batch"],
        n_ubatch=options["n_batch"],
        n_threads=options["n_threads"],
        n_threads_batch=options["n_threads"],
        n_gpu_layers=options["n_gpu_layers"],
        verbose=False,
    )

    def run(question: dict[str, Any]) -> dict[str, Any]:
        sampling = question["sampling"]
        times: list[float] = []
        for event in llama.create_chat_completion(
            question["messages"],
            temperature=sampling["temperature"],
            top_k=sampling["top_k"],
            top_p=sampling["top_p"],
            min_p=sampling["min_p"],
            repeat_penalty=1.0,
            seed=question["seed"],
            max_tokens=question["tokens"],
            stream=True,
        ):
            if event["choices"][0]["delta"].get("content") is not None:
                times.append(time.perf_counter())
        return {"tokens": len(times), "decode_s": times[-1] - times[0]}

    answer_lines({"ready": True}, run, out)


if __name__ == "__main__":
    main()
