"""`inglenook models verify`: are the files still what they were."""

from __future__ import annotations

import click
import msgspec

from app.base.errors import InglenookError
from app.cli.front import FAILED, Front, say_error, write_json, write_text
from app.cli.models.words import Bar, Pace, ending_at_a_signal
from app.engine.values import ModelFile
from app.services.errors import Interrupted
from app.services.verifying import Finding, Verdict


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_obj
def verify(front: Front, name: str | None, as_json: bool) -> int:
    """Read models whole and compare their sha256 with what is known. Without NAME: all of them.

    The exit code is 1 when a file is not what it was, or cannot be read.
    """
    verdicts: list[Verdict] = []
    bad = 0
    with front.application() as application, ending_at_a_signal() as (ended, signals):
        wanted = [application.library.only(name)] if name else [m for m in application.library.list() if not m.away]

        def check(model: ModelFile) -> Verdict:
            pace = Pace()
            with Bar(model.name, model.size_bytes, shown=not as_json) as bar:
                return application.library.verify(
                    model.id, lambda done, size: bar.at(done, pace.words(done, size)), ended
                )

        for model in wanted:
            try:
                verdict = check(model)
            except Interrupted:
                say_error("The check was stopped.")
                return 128 + signals[0]
            except InglenookError as error:
                say_error(f"{model.name}: {error.sentence}")
                bad += 1
                continue
            verdicts.append(verdict)
            bad += verdict.finding is Finding.DIFFERENT
            if not as_json:
                write_text(verdict.sentence)
    if as_json:
        write_json([msgspec.to_builtins(verdict) for verdict in verdicts])
    return FAILED if bad else 0
