"""``remuda launcher``: run a launcher of one provider."""

from pathlib import Path

import click

from launcher.daemon import LauncherRole
from remuda.cli.serving import process_options, serve
from remuda.frame.process import Process


@click.command(epilog="Example: remuda launcher --provider east --config /etc/remuda/remuda.yaml")
@click.option("--provider", required=True, help="Which provider of the configuration.")
@process_options
def launcher(provider: str, config: Path, log_format: str, log_level: str) -> None:
    """Make and hand out the nodes of one provider.

    Any number of these may run for the same provider: they share the work, and when one dies the
    others go on. SIGTERM stops, SIGHUP reads the configuration again.
    """
    process = Process(config_path=config, role=LauncherRole(provider=provider))
    serve("remuda launcher", process.run, log_format=log_format, log_level=log_level)
