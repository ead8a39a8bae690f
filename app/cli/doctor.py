"""`inglenook doctor`: what is installed, where things are, what is wrong. The exit code tells whether all is well."""

from __future__ import annotations

from typing import Any

import click

from app.base.sizes import size_words
from app.cli.front import FAILED, Front, write_json, write_text
from app.cli.hardware import apply_rpc, rpc_option

_PACKAGE = {
    "made_at": "Made at",
    "made_on": "Made on",
    "python": "With Python",
    "pyinstaller": "PyInstaller",
    "llama_cpp_python": "Bindings",
    "llama_cpp_flags": "Built with",
}


@click.command()
@rpc_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def doctor(front: Front, as_json: bool, rpc: tuple[str, ...]) -> int:
    """Look at this installation and this computer, and say what is wrong."""
    with front.application(need_store=False, tell=False) as application:
        apply_rpc(application, rpc)
        report = application.diagnostics.report(thorough=True)
    if as_json:
        write_json(report)
        return FAILED if report["problems"] else 0
    database = report["database"]
    write_text(f"Inglenook      {report['version']}")
    write_text(f"Python         {report['python']}")
    write_text(f"llama.cpp      {report['llama_cpp']} ({report['llama_cpp_build'] or 'build unknown'})")
    for name, value in report["package"].items():
        write_text(f"{_PACKAGE.get(name, name.capitalize()):<15}{value}")
    for device in report["devices"]:
        write_text(f"Device         {_device_words(device)}")
    for name, value in _computer_words(report["machine"]).items():
        write_text(f"{name:<15}{value}")
    write_text(f"Data folder    {report['data_dir']}")
    write_text(
        f"Database       {'in order' if database['ok'] else 'not in order'}, schema {database['schema'] or 'unknown'}"
    )
    for model in report["models"]:
        write_text(f"Model          {model['name']} {model['quantization']} ({size_words(model['size_bytes'])})")
    for problem in report["problems"]:
        write_text(f"Problem        {problem}")
    if not report["problems"]:
        write_text("Everything is in order.")
    return FAILED if report["problems"] else 0


def _device_words(device: dict[str, Any]) -> str:
    words = [device["kind"], device["backend"]] if device["backend"] not in ("", "CPU") else [device["kind"]]
    if device["memory_total_bytes"] and (device["kind"] != "cpu" or device["host"]):  # the computer's is told below
        words.append(_of(device["memory_free_bytes"], device["memory_total_bytes"]))
    where = f" on {device['host']}" if device["host"] else ""
    return f"{device['name']}: {device['description']}{where} ({', '.join(words)})"


def _computer_words(machine: dict[str, Any]) -> dict[str, str]:
    """What is known of the computer, in words."""
    found = {}
    if machine["memory_total_bytes"]:
        found["Memory"] = _of(machine["memory_free_bytes"], machine["memory_total_bytes"])
    swap = machine["swap_total_bytes"]
    found["Swap"] = _of(machine["swap_free_bytes"], swap) if swap else "none"
    if machine["cores"]:
        found["Cores"] = f"{machine['cores']} to compute with, {machine['logical']} processors"
    if machine["on_battery"] is not None:
        found["Power"] = "on battery" if machine["on_battery"] else "from the mains"
    return found


def _of(free: int, total: int) -> str:
    return f"{size_words(free)} of {size_words(total)} free"
