"""What we are allowed to do: asked without side effects, or shown by a boot."""

from collections.abc import Mapping, Sequence
from typing import Final

from launcher.checking.findings import Area, Findings
from launcher.checking.means import Means
from remuda.cloud.inspection import CloudRight, Permission, Told

#: Put on servers by the create call itself, so that it needs no call of its own.
TAG: Final = "tag"
NAMES: Final = (CloudRight.CREATE, CloudRight.DELETE, CloudRight.SNAPSHOT, TAG)

#: By right: an empty string if a boot has shown that we have it, else what it failed with.
Shown = Mapping[str, str]

_ADVICE: Final = "give the user the member role in this project, or ask for the policy"
_LOOKING_ROLES: Final = frozenset({"reader"})


def ask_rights(means: Means, out: Findings) -> dict[str, Permission]:
    """Ask for each right what the cloud tells without side effects."""
    told: dict[str, Permission] = {}
    for right in CloudRight:
        with out.guarded(Area.RIGHTS, right):
            told[right] = means.inspector.may(right)
    if CloudRight.CREATE in told:
        told[TAG] = told[CloudRight.CREATE]
    return told


def judge_rights(
    out: Findings, told: Mapping[str, Permission], shown: Shown, roles: Sequence[str]
) -> None:
    """Give the verdict on each right; what was shown counts more than what was told."""
    facts: dict[str, str] = {}
    for name in NAMES:
        if name in shown:
            facts[name] = Told.NO if shown[name] else Told.YES
            _judge_shown(out, name, shown[name])
        elif name in told:
            facts[name] = told[name].told
            _judge_told(out, name, told[name], roles)
    out.facts["rights"] = facts


def _judge_shown(out: Findings, name: str, why: str) -> None:
    if not why:
        out.ok(Area.RIGHTS, name, "tried, works")
    elif name == CloudRight.SNAPSHOT:
        out.warning(
            Area.RIGHTS,
            name,
            f"tried, failed: {why}",
            "needed only to build images from machines; ask the cloud's operator",
        )
    else:
        out.problem(Area.RIGHTS, name, f"tried, failed: {why}", _ADVICE)


def _judge_told(out: Findings, name: str, asked: Permission, roles: Sequence[str]) -> None:
    if asked.told is Told.YES:
        travels = "the tags travel with the create call" if name == TAG else ""
        out.ok(Area.RIGHTS, name, travels or "the cloud says so")
    elif asked.told is Told.NO and name == CloudRight.SNAPSHOT:
        advice = f"needed only to build images from machines; {_ADVICE}"
        out.warning(Area.RIGHTS, name, f"not allowed: {asked.why}", advice)
    elif asked.told is Told.NO:
        out.problem(Area.RIGHTS, name, f"not allowed: {asked.why}", _ADVICE)
    elif roles and set(roles) <= _LOOKING_ROLES:
        text = f"the only role is {', '.join(roles)}, which usually may only look"
        out.warning(Area.RIGHTS, name, text, _ADVICE)
    else:
        out.untested(Area.RIGHTS, name, "only doing it tells", "run with --boot")
