"""The command line's frame: global options, verbs, and what becomes of errors. Each verb has a file of its own."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Sequence

import click

from app.base.errors import InglenookError
from app.base.log import FILE_NAME, stop_log
from app.base.paths import find_places
from app.base.version import VERSION
from app.cli.ask import ask
from app.cli.chats import chats
from app.cli.doctor import doctor
from app.cli.front import BROKEN_PIPE, FAILED, INTERRUPTED, USAGE, Application, Front, say_error, say_help
from app.cli.models.group import models
from app.cli.remove_data import remove_data
from app.cli.worker import worker

log = logging.getLogger(__name__)


@click.group(name="inglenook", context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.option("--data-dir", metavar="FOLDER", help="Keep everything in this folder (also: INGLENOOK_HOME).")
@click.option("--offline", is_flag=True, help="Never reach for the network (also: INGLENOOK_OFFLINE=1).")
@click.version_option(VERSION, prog_name="Inglenook", message="%(prog)s %(version)s")
@click.pass_context
def inglenook(context: click.Context, data_dir: str | None, offline: bool) -> None:
    """Talk with language models that run on your own computer.

    Without a command the window opens; with a GGUF file instead of a command, it opens that model.
    """
    build: Callable[..., Application] = context.obj
    if context.invoked_subcommand is None:
        raise click.UsageError("This needs a command.")
    context.obj = Front(find_places(data_dir), functools.partial(build, offline=True) if offline else build)


for _verb in (ask, doctor, models, chats, worker, remove_data):
    inglenook.add_command(_verb)


def run(arguments: Sequence[str], build: Callable[..., Application]) -> int:
    """Runs one command; `build` makes the application from places. Returns the exit code; never raises, never prints
    a trace."""
    logging.getLogger().addHandler(logging.NullHandler())  # until the log is open, nothing goes to the terminal either
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        result = inglenook.main(list(arguments), prog_name="inglenook", standalone_mode=False, obj=build)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:  # a group without a verb
        say_help(error.format_message())
        return USAGE
    except click.UsageError as error:
        hint = f" Try '{error.ctx.command_path} --help'." if error.ctx is not None else ""
        said = error.format_message()
        say_error(f"{said}{'' if said.endswith(('.', '?')) else '.'}{hint}")
        return USAGE
    except click.ClickException as error:
        say_error(error.format_message())
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _let_go_of_stdout()
        return BROKEN_PIPE
    except SystemExit as ended:  # click's own ends: nobody reads, or a shell was told how words go on
        return BROKEN_PIPE if ended.code else 0
    except InglenookError as error:
        log.info("%s: %s", error.code, error.detail)
        say_error(error.sentence)
        return FAILED
    except OSError as error:
        log.exception("a command failed")
        _let_go_of_stdout()
        say_error(f"The system refused this: {error.strerror or type(error).__name__}.")
        return FAILED
    except MemoryError:
        say_error("The system has no memory left for Inglenook to work with. Close other programs and try again.")
        return FAILED
    except Exception:  # the edge of the process: a trace belongs into the log
        log.exception("a command failed")
        say_error(f"Something went wrong inside Inglenook. The details are in its log, {FILE_NAME}.")
        return FAILED
    finally:
        stop_log()


def _let_go_of_stdout() -> None:
    """Points standard output to nowhere, so that the interpreter's last flush does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
