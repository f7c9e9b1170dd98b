"""What is left of machines that failed, put into a log: it stays as long as the build's record.

Launchers keep the evidence of so many launches only, and the machine is gone soon.
"""

from collections.abc import Mapping
from typing import Any, Final

from builder.hands import blame
from builder.log.progress import ProgressLog, say
from remuda.cloud.api import Cloud, CloudError
from remuda.model.capsule import Capsule
from remuda.model.ids import RequestId, ServerId
from remuda.redaction import redact_text
from remuda.store.api import Store
from remuda.visible import visible

#: Of the end of a console; the log of a trial has 16 KiB for its end at the least.
CONSOLE_CHARS_MAX: Final = 6 * 1024
#: Launches of one request: a launcher makes three.
_REPORTS_MAX: Final = 5
_STEPS_MAX: Final = 20


def tell_console(cloud: Cloud, server: ServerId, log: ProgressLog) -> None:
    """Add the end of the console of a machine that is still there."""
    log.step("console")
    try:
        text = cloud.console_log(server)
    except CloudError as exc:
        say(log, f"the cloud does not show its console: {visible(str(exc))}")
        return
    _tell_text(redact_text(text), log)


def tell_launches(store: Store, provider: str, request: RequestId, log: ProgressLog) -> None:
    """Add what launchers have kept of the machines that they could not hand out."""
    some = [one for one in blame.read_reports(store, provider) if one.request == request]
    for report in sorted(some, key=lambda one: one.at_s)[-_REPORTS_MAX:]:
        _tell_report(report, log)


def _tell_report(report: Capsule, log: ProgressLog) -> None:
    log.step(f"launch of node {report.node}")
    say(log, f"{report.result}: {visible(report.why)}")
    if report.fault:
        say(log, f"the cloud says: {visible(report.fault)}")
    for step in report.transcript[-_STEPS_MAX:]:
        _tell_step(step, log)
    _tell_text(report.console, log)


def _tell_step(step: Mapping[str, Any], log: ProgressLog) -> None:
    name, why = str(step.get("name") or "?"), str(step.get("why") or "")
    say(log, f"{visible(name)}: {visible(why) or 'ok'}")
    output = step.get("output")
    if isinstance(output, str) and output:
        _tell_text(output, log)


def _tell_text(text: str, log: ProgressLog) -> None:
    end = text[-CONSOLE_CHARS_MAX:]
    if end:
        log.write(end.encode(errors="replace"))
        if not end.endswith("\n"):
            log.write(b"\n")
