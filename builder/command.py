"""``remuda builder``: run a builder of images."""

from pathlib import Path

import click

from builder.daemon import BuilderRole
from remuda.cli.serving import process_options, serve
from remuda.frame.process import Process


@click.command(epilog="Example: remuda builder --config /etc/remuda/remuda.yaml")
@process_options
def builder(config: Path, log_format: str, log_level: str) -> None:
    """Make the images of the configuration, prove them, and swap them in.

    Any number of these may run: they share the work, and when one dies the others go on, or begin
    its builds anew. Launchers make their machines. SIGTERM stops, SIGHUP reads the configuration
    again.
    """
    process = Process(config_path=config, role=BuilderRole())
    serve("remuda builder", process.run, log_format=log_format, log_level=log_level)
