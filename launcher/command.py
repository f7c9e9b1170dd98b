"""``remuda launcher``: run a launcher of one provider."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from launcher.daemon import Daemon, UnknownProviderError
from remuda import logs
from remuda.cli.saying import say, say_crash
from remuda.cloud.api import CloudConfigError
from remuda.config.problems import ConfigInvalidError
from remuda.membership.installation import InstallationError
from remuda.ssh.errors import KeyFileError
from remuda.store.api import StoreError
from remuda.web.server import ListenError

EXIT_MISTAKE: Final = 2
EXIT_STORE: Final = 3


@click.command(epilog="Example: remuda launcher --provider east --config /etc/remuda/remuda.yaml")
@click.option("--provider", required=True, help="Which provider of the configuration.")
@click.option(
    "--config",
    "config",
    required=True,
    envvar="REMUDA_CONFIG",
    type=click.Path(path_type=Path),
    help="The configuration file; reloaded when it changes. [env: REMUDA_CONFIG]",
)
@click.option(
    "--log-format", type=click.Choice(["plain", "json"]), default="plain", help="Form of logs."
)
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    default="INFO",
    help="Least important logs to show.",
)
def launcher(provider: str, config: Path, log_format: str, log_level: str) -> None:
    """Make and hand out the nodes of one provider.

    Any number of these may run for the same provider: they share the work, and when one dies the
    others go on. SIGTERM stops, SIGHUP reads the configuration again.
    """
    logs.configure("json" if log_format == "json" else "plain", log_level)
    code = 1
    try:
        Daemon(config_path=config, provider=provider).run()
        code = 0
    except ConfigInvalidError as exc:
        for problem in exc.problems:
            say(str(problem), err=True)
        code = EXIT_MISTAKE
    except (
        CloudConfigError,
        InstallationError,
        KeyFileError,
        ListenError,
        UnknownProviderError,
    ) as exc:
        say(f"remuda launcher: {exc}", err=True)
        code = EXIT_MISTAKE
    except StoreError as exc:
        say(f"remuda launcher: {exc}", err=True)
        code = EXIT_STORE
    finally:
        if sys.exc_info()[0] is not None:
            say_crash()
        sys.stdout.flush()
        sys.stderr.flush()
        # Threads that still wait for a cloud or a machine must not delay the end: whatever they
        # were doing, the records say so, and another replica goes on.
        os._exit(code)
