"""Commands that run a process of ours: their options, and how they end."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from remuda import logs
from remuda.cli.errors import EXIT_MISTAKE, EXIT_STORE_AWAY
from remuda.cli.terminal import say, say_crash
from remuda.config.problems import ConfigInvalidError
from remuda.frame.process import MISTAKES
from remuda.store.api import StoreError

F = TypeVar("F", bound=Callable[..., Any])


def process_options(command: F) -> F:
    """Add what every process is told: *config*, *log_format*, *log_level*."""
    for option in reversed(
        (
            click.option(
                "--config",
                "config",
                required=True,
                envvar="REMUDA_CONFIG",
                type=click.Path(path_type=Path),
                help="The configuration file; reloaded when it changes. [env: REMUDA_CONFIG]",
            ),
            click.option(
                "--log-format",
                type=click.Choice(["plain", "json"]),
                default="plain",
                help="Form of logs.",
            ),
            click.option(
                "--log-level",
                type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
                default="INFO",
                help="Least important logs to show.",
            ),
        )
    ):
        command = option(command)
    return command


def serve(command: str, run: Callable[[], None], *, log_format: str, log_level: str) -> NoReturn:
    """Run a process to its end, and leave at once: 0, or what docs/cli.md says.

    Args:
        command: As the operator typed it, without options.
        run: Works until it is told to stop; what it may raise is that of ``Process.run``.
        log_format: ``plain`` or ``json``.
        log_level: Least important logs to show.
    """
    logs.configure("json" if log_format == "json" else "plain", log_level)
    code = 1
    try:
        run()
        code = 0
    except ConfigInvalidError as exc:
        for problem in exc.problems:
            say(str(problem), err=True)
        code = EXIT_MISTAKE
    except MISTAKES as exc:
        say(f"{command}: {exc}", err=True)
        code = EXIT_MISTAKE
    except StoreError as exc:
        say(f"{command}: {exc}", err=True)
        code = EXIT_STORE_AWAY
    finally:
        if sys.exc_info()[0] is not None:
            say_crash()
        sys.stdout.flush()
        sys.stderr.flush()
        # Threads that still wait for a cloud or a machine must not delay the end: whatever they
        # were doing, the records say so, and another replica goes on.
        os._exit(code)
