"""What machines that are being made are waited for, in words."""

from remuda.cli.output import age
from remuda.insight.launch_progress import LaunchProgress
from remuda.model.launch import Step

#: Scripts run; everything else is waited for.
_RUNNING = frozenset({"step", "setup", "check"})


def launch_progress_text(one: LaunchProgress, now_s: float) -> str:
    """Return what a machine is waited for, and for how long: ``proving: no answer on port 22 ...``.

    *now_s* is the wall clock, in seconds since the epoch.
    """
    lasted = f"for {age(now_s - one.began_at_s)}"
    if one.part is None:
        return f"{one.step} {lasted}"
    if one.part in _RUNNING:
        name = one.part if one.words in ("", one.part) else f"{one.part} {one.words}"
        return f"{one.step}: {name} runs {lasted}"
    lacks = {
        "address": "no address" if one.step is Step.BOOTING else "no floating IP",
        "connect": f"no answer on port {one.port}",
        "host-key": "not the right host key",
        "login": "no login",
    }
    answer = f" ({one.words})" if one.words else ""
    return f"{one.step}: {lacks.get(one.part, one.part)} {lasted}{answer}"
