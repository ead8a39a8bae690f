"""`inglenook models fit`: will it run here, with how much context, how fast. Reads headers only."""

from __future__ import annotations

import concurrent.futures
import functools
import sys
import threading
from pathlib import Path
from typing import Any, TypeVar

import click

from app.base.errors import InglenookError
from app.base.sizes import size_words
from app.cli.front import Application, Front, say_error, write_json, write_text
from app.cli.models.words import ending_at_a_signal
from app.cli.numbers import MOST_TOKENS, Whole
from app.engine.hardware import Fit, Machine
from app.services.errors import NoSuchThing
from app.services.shelves import whole

KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
MEASURE_S = 60.0
LOOK_S = 0.1

T = TypeVar("T")


@click.command()
@click.argument("name", metavar="REPO[:QUANT]|PATH|NAME")
@click.option("--ctx", type=Whole(0, MOST_TOKENS), default=0, help="Tokens of context; 0 is up to 8,192.")
@click.option("--kv", type=click.Choice(KV_TYPES), default="f16", help="The type of the KV cache.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def fit(front: Front, name: str, ctx: int, kv: str, as_json: bool) -> int:
    """Say how much memory a model takes on this computer, and how fast it will be.

    The model may be on Hugging Face (only the beginning of its file is read), a file, or one of `inglenook models
    list`.
    """
    with front.application(need_store=False) as application:
        fitting = application.fitting
        path = _local(application, name)
        if path is not None:
            label, ask = name, functools.partial(fitting.exact_local, path)
        else:
            application.network.consent()
            repo, _, wanted = name.partition(":")
            page = application.browsing.look(repo)
            variant = application.browsing.pick(page, wanted)
            label, ask = f"{repo}:{variant.name}", functools.partial(fitting.exact, repo, page.commit, variant)
        with ending_at_a_signal() as (ended, signals):
            question = _Asked(application, ended)
            measured = question.measured(told=not as_json)
            future = ask(n_ctx=ctx, kv=kv)
            found = question.wait(future)
            if found is None:
                fitting.cancel(future)
                say_error("Stopped.")
                return 128 + signals[0]
    if as_json:
        write_json(_facts(label, found, kv))
    else:
        _print(label, found, measured)
    return 0


class _Asked:
    """Waits for answers, until one is told to end."""

    def __init__(self, application: Application, ended: threading.Event) -> None:
        self._application = application
        self._ended = ended

    def wait(self, future: concurrent.futures.Future[T], timeout_s: float = float("inf")) -> T | None:
        """The answer, or None once it is time to end. Raises what the future raises."""
        while not self._ended.is_set() and timeout_s > 0:
            timeout_s -= LOOK_S
            if concurrent.futures.wait([future], LOOK_S).done:
                return future.result()
        return None

    def measured(self, *, told: bool) -> Machine | None:
        """This computer's speeds, which are measured the first time. None: it could not be measured."""
        future = self._application.fitting.prepare(now=True)
        if told and not future.done() and sys.stderr.isatty():
            click.echo("Measuring this computer, once…", err=True)
        try:
            return self.wait(future, MEASURE_S)
        except InglenookError:
            return None


def _local(application: Application, name: str) -> Path | None:
    """The file that is meant, if it is one of this computer. A repository's name without a quantization means the
    Hub."""
    path = whole(name)
    if path.is_file():
        return path.absolute()
    if name.count("/") == 1 and ":" not in name and not name.lower().endswith(".gguf"):
        return None
    try:
        return Path(application.library.only(name).path)
    except NoSuchThing:
        if name.count("/") == 1 and not name.lower().endswith(".gguf"):
            return None
        raise


def _facts(label: str, found: Fit, kv: str) -> dict[str, Any]:
    plan = found.plan
    return {
        "name": label,
        "weights_bytes": plan.weights_bytes,
        "kv_bytes": plan.kv_bytes,
        "compute_bytes": plan.compute_bytes,
        "total_bytes": plan.total_bytes,
        "exact": plan.exact,
        "fits": found.fits,
        "fits_now": found.fits_now,
        "verdict": found.verdict.value,
        "n_ctx": plan.n_ctx,
        "kv": kv,
        "max_ctx": found.max_ctx,
        "n_gpu_layers": plan.n_gpu_layers,
        "tokens_per_s_expected": round(found.tokens_per_s, 2),
        "ttft_s_expected": round(found.ttft_s, 3),
        "why": found.why,
    }


def _print(label: str, found: Fit, measured: Machine | None) -> None:
    plan = found.plan
    write_text(f"{label}: {found.why}")
    write_text(f"  Weights       {size_words(plan.weights_bytes):>8}")
    write_text(f"  Context       {size_words(plan.kv_bytes):>8}  for {plan.n_ctx:,} tokens")
    write_text(f"  Working space {size_words(plan.compute_bytes):>8}")
    write_text(f"  Together      {size_words(plan.total_bytes):>8}{'' if plan.exact else '  (computed)'}")
    if found.max_ctx:
        write_text(f"  At most {found.max_ctx:,} tokens of context fit.")
    if measured is not None and found.tokens_per_s:
        write_text(
            f"  About {found.tokens_per_s:.1f} tokens a second; a prompt of 1,000 tokens takes {found.ttft_s:.1f} s."
        )
