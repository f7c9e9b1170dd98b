"""``remuda cloud check``: can this provider's cloud be trusted with nodes?"""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from launcher.checking.examining import examine
from launcher.checking.findings import Area, Findings, State
from launcher.checking.means import Means
from launcher.checking.opening import open_cloud, read_config
from launcher.checking.showing import report_data, report_sheet
from launcher.checking.sweeping import sweep
from launcher.policy import compile_policy
from remuda import logs
from remuda.cli import output
from remuda.cli.context import CommandContext
from remuda.cli.errors import EXIT_INTERRUPTED, PlainCommand
from remuda.cli.terminal import say
from remuda.config.model import Config
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.runtime.clock import SystemClock
from remuda.runtime.signals import Signals
from remuda.ssh.prover import ParamikoProver

EXIT_PROBLEMS: Final = 1


@click.group()
def cloud() -> None:
    """Look at the clouds of the configuration."""


cloud.add_command(sweep)


@cloud.command(
    cls=PlainCommand,
    examples=(
        "remuda cloud check east --config /etc/remuda/remuda.yaml",
        "remuda cloud check east --boot",
        "remuda cloud check east --json | jq '.findings[] | select(.state == \"problem\")'",
    ),
)
@click.argument("provider")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="REMUDA_CONFIG",
    help="The configuration file. [env: REMUDA_CONFIG]",
)
@click.option(
    "--boot", is_flag=True, help="Boot one node of each label through all steps, and remove it."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cloud-check.md).")
@click.pass_context
def check(
    ctx: click.Context, provider: str, config: Path | None, *, boot: bool, as_json: bool
) -> None:
    """Say everything that keeps PROVIDER's cloud from giving good nodes.

    Exit code 0 if there is no problem (warnings are none), 1 if there are problems, 2 if the
    configuration cannot be used. Without --boot nothing is made or changed.
    """
    context = ctx.obj if isinstance(ctx.obj, CommandContext) else CommandContext()
    reading = read_config(config or context.config, provider)
    logs.configure("plain", "WARNING")
    out = Findings()
    for warning in reading.warnings:
        out.warning(Area.CONFIG, "configuration", str(warning), "correct the configuration")
    assert reading.config is not None  # noqa: S101 - read_config saw to it
    head = _head(reading.config, provider, boot=boot)
    with _means(reading.config, provider) as means:
        examine(means, out, boot=boot)
        interrupted = means.stopped()
    if as_json:
        output.emit_json(report_data(out, {**head, "interrupted": interrupted}))
    else:
        output.show([report_sheet(out)])
    if interrupted:
        ctx.exit(EXIT_INTERRUPTED)
    ctx.exit(EXIT_PROBLEMS if out.count(State.PROBLEM) else 0)


def _head(config: Config, provider: str, *, boot: bool) -> dict[str, object]:
    one = config.providers[provider]
    return {
        "provider": provider,
        "cloud": one.cloud,
        "region": one.region,
        "at_s": round(SystemClock().now_s(), 3),
        "booted": boot,
    }


@contextlib.contextmanager
def _means(config: Config, provider: str) -> Iterator[Means]:
    """Connect to the cloud as the launcher does.

    Raises:
        MistakeError: If clouds.yaml cannot be used.
    """
    signals, clock = Signals(), SystemClock()
    with open_cloud(config, tags.trial_owner(ProviderName(provider)), clock) as adapter:
        yield Means(
            policy=compile_policy(config, provider),
            cloud=adapter,
            inspector=adapter.inspector(),
            images=adapter.image_store(),
            prover=ParamikoProver(),
            clock=clock,
            run=uuid.uuid4().hex[:6],
            stopped=signals.stop.is_set,
            heeding=lambda: signals,
            tell=_tell,
        )


def _tell(text: str) -> None:
    say(text, err=True)
