"""What verbs share about hardware: the options of a load, and plans and devices as text and JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from app.base.sizes import size_words
from app.cli.front import Application, say_error, write_json, write_text
from app.cli.numbers import MOST_TOKENS, Whole
from app.engine.hardware import Device, DeviceShare, Machine
from app.engine.values import LoadedModel, LoadPlan
from app.services import lending

F = TypeVar("F", bound=Callable[..., Any])

BAR = 48
MOST_LAYERS = 10_000  # as in the settings
WEIGHTS, CACHE, WORK, OTHERS, FREE = "#", "=", "-", "x", "."
LEGEND = f"{WEIGHTS} weights   {CACHE} conversations   {WORK} computing   {OTHERS} in use otherwise   {FREE} free"


class Layers(click.ParamType[int]):
    """A number of layers, or auto."""

    name = "layers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        said = str(value)
        if said != "auto" and not (said.isascii() and said.isdecimal() and int(said) <= MOST_LAYERS):
            self.fail(f"{said!r} is neither a number of layers nor auto.", param, ctx)
        return -1 if said == "auto" else int(said)


def rpc_option(verb: F) -> F:
    """--rpc, for verbs that use further computers."""

    def endpoints(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
        for endpoint in given:
            if not lending.is_endpoint(endpoint):
                raise click.BadParameter(f"“{endpoint}” is not a place: it looks like 192.168.1.20:50052.", ctx, param)
        return given

    words = "Use a further computer, too: one that runs `inglenook worker`. Can be given several times."
    return click.option("--rpc", multiple=True, callback=endpoints, metavar="HOST:PORT", help=words)(verb)


def load_options(verb: F) -> F:
    """The options of a load."""
    for option in (
        click.option("--insist", is_flag=True, help="Load the model even if the system has to swap for it."),
        click.option("--kv", type=click.Choice(["f16", "q8_0", "q4_0"]), help="Type of the KV cache: keys and values."),
        click.option(
            "--gpu-layers", type=Layers(), metavar="N|auto", help="Layers on graphics devices; auto is what fits."
        ),
        click.option("--threads", type=Whole(0, 1024), help="Processor threads; 0 takes the physical cores."),
        click.option("--ctx", type=Whole(0, MOST_TOKENS), help="Tokens the model can see; 0 chooses by the model."),
    ):
        verb = option(verb)
    return rpc_option(verb)


def apply_load_options(application: Application, options: dict[str, Any]) -> None:
    """Takes the options of a load out of `options`, and applies them to this run."""
    kv = options.pop("kv")
    wanted = {
        "engine.n_ctx": options.pop("ctx"),
        "engine.n_threads": options.pop("threads"),
        "engine.n_gpu_layers": options.pop("gpu_layers"),
        "cache.type_k": kv,
        "cache.type_v": kv,
    }
    for name, value in wanted.items():
        if value is not None:
            application.settings.override(name, value)
    application.loading.insists = options.pop("insist")
    apply_rpc(application, options.pop("rpc"))


def apply_rpc(application: Application, endpoints: tuple[str, ...]) -> None:
    """These further computers, and no others, take part in this run. Naming one elsewhere is consent to the network."""
    if endpoints:
        application.settings.override("engine.workers", endpoints)
        if not all(application.network.gate.is_here(endpoint) for endpoint in endpoints):
            application.network.consent()


def devices_of(model: LoadedModel | None) -> list[dict[str, Any]]:
    """What a loaded model takes of each device, as the loader said."""
    shares = model.shares if model is not None else ()
    return [
        {"name": share.name, "kind": share.kind, "layers": share.layers, "bytes": share.total_bytes} for share in shares
    ]


# --- plans --------------------------------------------------------------------------------------------------------


def show_plan(application: Application, model_id: str, *, as_json: bool) -> int:
    """Prints how a model would be loaded here; loads nothing. Raises InglenookError."""
    plan, line = application.plans.exact(model_id)
    if line:
        say_error(line)
    file = application.library.get(model_id)
    name = file.name if file is not None else model_id
    if as_json:
        write_json(_plan_object(name, plan))
    else:
        write_text("\n".join(_plan_lines(name, plan)))
    return 0


def _plan_object(name: str, plan: LoadPlan) -> dict[str, Any]:
    options, devices = plan.options, _devices(plan.machine)
    return {
        "model": name,
        "exact": plan.fit.plan.exact,
        "n_ctx": plan.fit.plan.n_ctx,
        "n_gpu_layers": plan.fit.plan.n_gpu_layers,
        "n_layer": plan.n_layer,
        "n_threads": options.n_threads,
        "n_ubatch": options.n_ubatch,
        "n_cpu_experts": options.n_cpu_experts,
        "offload_kv": options.offload_kv,
        "type_k": options.type_k,
        "type_v": options.type_v,
        "devices": [
            {
                "name": share.name,
                "kind": share.kind,
                "layers": share.layers,
                "bytes": share.total_bytes,
                "weights_bytes": share.weights_bytes,
                "kv_bytes": share.kv_bytes,
                "compute_bytes": share.compute_bytes,
                "memory_free_bytes": devices[share.name].memory_free_bytes if share.name in devices else 0,
                "memory_total_bytes": devices[share.name].memory_total_bytes if share.name in devices else 0,
            }
            for share in plan.fit.plan.shares
        ],
        "verdict": plan.fit.verdict.value,
        "fits_now": plan.fit.fits_now,
        "max_ctx": plan.fit.max_ctx,
        "tokens_per_s": round(plan.fit.tokens_per_s, 2),
        "why": plan.fit.why,
        "stepped_down": plan.stepped_down,
        "by_person": plan.by_person,
    }


def _plan_lines(name: str, plan: LoadPlan) -> list[str]:
    options, memory = plan.options, plan.fit.plan
    lines = [
        f"{name}: a context of {memory.n_ctx:,} tokens, {memory.n_gpu_layers} of {plan.n_layer + 1} layers on graphics "
        f"devices, cache {options.type_k}/{options.type_v}, {options.n_threads or 'automatic'} threads.",
        plan.fit.why,
    ]
    if plan.stepped_down:
        lines.append(f"The full plan did not work before; --full-plan tries it again. {plan.stepped_down}")
    if plan.fit.tokens_per_s:
        lines.append(f"About {plan.fit.tokens_per_s:.0f} tokens in a second.")
    shares = {share.name: share for share in memory.shares}
    devices = _devices(plan.machine)
    width = max(len(name) for name in devices)
    lines.append("")
    for device in devices.values():
        share = shares.get(device.name)
        took = size_words(share.total_bytes) if share is not None else "nothing"
        layers = f", {share.layers} layers" if share is not None and share.layers else ""
        lines.append(f"{device.name:<{width}}  [{_bar(device, share)}]  {took}{layers}; {_free_words(device)}")
    return [*lines, f"{'':<{width}}   {LEGEND}"]


def _bar(device: Device, share: DeviceShare | None) -> str:
    """The memory of a device; whatever there is at all is at least one character wide."""
    total = device.memory_total_bytes
    if total <= 0:
        return " " * BAR
    planned = (share.weights_bytes, share.kv_bytes, share.compute_bytes) if share is not None else (0, 0, 0)
    parts = zip((WEIGHTS, CACHE, WORK, OTHERS), (*planned, total - device.memory_free_bytes), strict=True)
    drawn = "".join(sign * max(1, round(BAR * size / total)) for sign, size in parts if size > 0)
    return drawn[:BAR].ljust(BAR, FREE)


# --- devices ------------------------------------------------------------------------------------------------------


def _devices(machine: Machine) -> dict[str, Device]:
    """By name, the processor with the main memory first."""
    processor = Device(
        name="CPU",
        description="",
        kind="cpu",
        memory_free_bytes=machine.memory_free_bytes,
        memory_total_bytes=machine.memory_total_bytes,
    )
    return {device.name: device for device in (processor, *machine.devices)}


def _free_words(device: Device) -> str:
    if not device.memory_total_bytes:
        return "its memory is not known"
    return f"{size_words(device.memory_free_bytes)} of {size_words(device.memory_total_bytes)} are free"
