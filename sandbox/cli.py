"""The command line of the sandbox."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import click

from sandbox.config import Config, MachineKind, with_secrets
from sandbox.config_file import load
from sandbox.host import HostUnfitError
from sandbox.network.addresses import NoAddressesError
from sandbox.reading import BadInputError
from sandbox.serve import Options, run

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


class BadConfigError(click.ClickException):
    """The user's mistake, as on the command line: the same exit code."""

    exit_code = click.UsageError.exit_code


@click.command(name="sandbox")
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="TCP port on 127.0.0.1; 0: any free one.",
)
@click.option("--config", "config_file", type=_FILE, help="YAML; see docs/sandbox.md.")
@click.option("--state", type=_FOLDER, help="Folder for images and machines; else memory.")
@click.option("--clouds-yaml", type=_FILE, help="Write a clouds.yaml here when listening.")
@click.option("--journal", type=_FILE, help="Append the servers' lives to this file, as JSON.")
@click.option(
    "--machines",
    type=click.Choice([str(kind) for kind in MachineKind]),
    help="Overrides the configuration's kind of machines.",
)
@click.option(
    "--log-level",
    default="INFO",
    show_default=True,
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]),
)
def main(
    *,
    port: int,
    config_file: Path | None,
    state: Path | None,
    clouds_yaml: Path | None,
    journal: Path | None,
    machines: str | None,
    log_level: str,
) -> None:
    """Run an OpenStack-shaped cloud on this machine, with real SSH machines."""
    logging.basicConfig(level=log_level, format="%(asctime)s %(levelname)s %(message)s")
    # Uvicorn tells about its own start and stop; our one line says it all.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    try:
        config = load(config_file) if config_file else Config()
        if machines:
            config = replace(config, machines=MachineKind(machines))
        options = Options(port=port, state=state, clouds_yaml=clouds_yaml, journal=journal)
        run(with_secrets(config), options)
    except BadInputError as exc:
        raise BadConfigError(
            "the configuration cannot be used:\n  " + "\n  ".join(exc.problems)
        ) from exc
    except (NoAddressesError, HostUnfitError, OSError) as exc:
        raise click.ClickException(str(exc)) from exc
