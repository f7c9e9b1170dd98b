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
from launcher.checking.showing import report_data, report_sheet
from launcher.policy import compile_policy
from remuda import logs
from remuda.cli import output
from remuda.cli.failing import EXIT_INTERRUPTED, MistakeError, PlainCommand
from remuda.cli.surroundings import Surroundings
from remuda.cloud.account import AccountSettings
from remuda.cloud.api import CloudConfigError
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.config import loader
from remuda.config.loader import Reading
from remuda.config.model import Config
from remuda.config.names import meant_name
from remuda.config.problems import ConfigInvalidError
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.runtime.clock import SystemClock
from remuda.runtime.signals import Signals
from remuda.ssh.prover import ParamikoProver

EXIT_PROBLEMS: Final = 1
#: A check makes some thirty calls; a provider that is configured slower than this would only
#: make us measure our own rate limit.
RATE_MIN: Final = 10.0


@click.group()
def cloud() -> None:
    """Look at the clouds of the configuration, without ZooKeeper."""


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
    around = ctx.obj if isinstance(ctx.obj, Surroundings) else Surroundings()
    reading = _read(config or around.config, provider)
    logs.configure("plain", "WARNING")
    out = Findings()
    for warning in reading.warnings:
        out.warning(Area.CONFIG, "configuration", str(warning), "correct the configuration")
    assert reading.config is not None  # noqa: S101 - _read saw to it
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


def _read(path: Path | None, provider: str) -> Reading:
    """Read the configuration.

    Raises:
        MistakeError: If nobody said where it is, or it has no such provider.
        ConfigInvalidError: With all its problems.
    """
    if path is None:
        raise MistakeError("which configuration? Give --config FILE, or set REMUDA_CONFIG")
    reading = loader.read(path, provider=provider)
    if reading.config is None:
        raise ConfigInvalidError(reading.problems, reading.warnings)
    known = sorted(reading.config.providers)
    if provider not in known:
        meant = meant_name(provider, known)
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(known)}"
        raise MistakeError(f"there is no provider {provider!r} in {path}; {hint}")
    return reading


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
    one, clock = config.providers[provider], SystemClock()
    account = AccountSettings(
        cloud=one.cloud,
        region=one.region,
        clouds_file=config.clouds_file,
        api_timeout_s=one.api_timeout,
    )
    settings = CloudSettings(
        account=account,
        owner=tags.trial_owner(ProviderName(provider)),
        rate_per_s=max(one.rate, RATE_MIN),
    )
    try:
        adapter = OpenStackCloud(settings, clock=clock)
    except CloudConfigError as exc:
        raise MistakeError(str(exc)) from exc
    signals = Signals()
    with contextlib.closing(adapter):
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
    click.echo(text, err=True)
