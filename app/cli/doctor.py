"""`inglenook doctor`: what is installed, where things are, what is wrong. The exit code tells whether all is well."""

from __future__ import annotations

import click

from app.base.sizes import size_words
from app.cli.front import FAILED, Front, write_json, write_text

_PACKAGE = {
    "made_at": "Made at",
    "made_on": "Made on",
    "python": "With Python",
    "pyinstaller": "PyInstaller",
    "llama_cpp_python": "Bindings",
    "llama_cpp_flags": "Built with",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def doctor(front: Front, as_json: bool) -> int:
    """Look at this installation and say what is wrong with it."""
    with front.application(need_store=False) as application:
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
        memory = f", {size_words(device['memory_total_bytes'])}" if device["memory_total_bytes"] else ""
        write_text(f"Device         {device['name']}: {device['description']} ({device['kind']}{memory})")
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
