"""``--boot``: one machine of every label, one after the other, and nothing left behind."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from launcher.checking.booting import Boot
from launcher.checking.findings import Area, Findings
from launcher.checking.means import Means
from launcher.checking.rights import TAG
from launcher.checking.snapshotting import try_snapshot
from launcher.checking.timed import STOPPED, Timed
from launcher.policy import Key
from launcher.provider.cloud import Recipe
from launcher.server.left_by_checks import is_forgotten, is_forgotten_image
from remuda.cloud.api import Server
from remuda.cloud.inspection import CloudRight
from remuda.cloud.leftovers import LeftoverKind
from remuda.model import tags

_ADVICE: Final[Mapping[str, str]] = {
    "create": "correct what the cloud complains of; nothing was made",
    "active": "ask the cloud's operator; the fault and the console log are what Nova knows",
    "floating-ip": "check the external network and the quota of floating IPs",
    "connect": "check security groups, routes from this host, and that the image starts sshd",
    "host-key": "the image must take host keys from user data (cloud-init); else set"
    " host-keys: scan for the label",
    "login": "check username: of the label, ssh-key-file of the provider, and that the image"
    " takes our key from user data or from the key pair",
    "setup": "correct the setup script; its output is below",
    "check": "correct the image or the check; its output is below",
}


def boot_labels(
    means: Means, out: Findings, recipes: Mapping[Key, Recipe], servers: Sequence[Server] | None
) -> Mapping[str, str]:
    """Boot every label once; return what that showed of our rights."""
    _sweep(means, out, servers or ())
    shown: dict[str, str] = {}
    facts: list[dict[str, Any]] = []
    for number, (label, key) in enumerate(_chosen(means, recipes), 1):
        if key is None:
            text = "not booted: its image is one of ours, or it has no image, flavor or open pool"
            out.untested(Area.BOOT, label, text, "correct that first")
        elif means.stopped():
            out.untested(Area.BOOT, label, STOPPED)
        else:
            boot = Boot(means=means, recipe=recipes[key], key=key, number=number)
            facts.append(_boot(boot, out, shown))
    out.facts["boots"] = facts
    return shown


def _chosen(means: Means, recipes: Mapping[Key, Recipe]) -> Iterator[tuple[str, Key | None]]:
    """Yield each label with the preferred pool that can make it."""
    policy = means.policy
    for label in sorted({label for _, label in policy.making}):
        able = (
            (pool.name, label)
            for pool in policy.pools_for((label,))
            if pool.limits.instances != 0 and _is_there(recipes.get((pool.name, label)))
        )
        yield label, next(able, None)


def _is_there(recipe: Recipe | None) -> bool:
    """Whether a label can be booted now: the builds of our own images only ZooKeeper knows."""
    return recipe is not None and recipe.image is not None


def _boot(boot: Boot, out: Findings, shown: dict[str, str]) -> dict[str, Any]:
    """Make one machine, remove it, and say how it went."""
    snapshot: Timed | None = None
    removed: Timed | None = None
    try:
        boot.run()
        snapshot = _snapshot(boot, shown)
    finally:
        removed = boot.remove()
    _report(boot, out)
    _report_removal(boot, removed, out)
    _learn(boot, removed, shown)
    failed, evidence = boot.failed, boot.node.records.evidence
    return {
        "pool": boot.key[0],
        "label": boot.key[1],
        "ok": boot.ok,
        "why": "" if failed is None else f"{failed.name}: {failed.why}",
        "seconds": round(boot.seconds, 3),
        "server": boot.server,
        "image": None if boot.recipe.image is None else boot.recipe.image.name,
        "steps": [one.as_data() for one in (*boot.steps, snapshot, removed) if one is not None],
        "fault": None if evidence is None else evidence.fault,
        "console": "" if evidence is None else evidence.console,
    }


def _snapshot(boot: Boot, shown: dict[str, str]) -> Timed | None:
    """Try it with the first good machine; one with a volume would leave a volume's snapshot."""
    wanted = boot.ok and not boot.recipe.volume_gib and CloudRight.SNAPSHOT not in shown
    if not wanted or boot.server is None or boot.means.stopped():
        return None
    taken = try_snapshot(boot.means, boot.server, tags.server_name(boot.node.view.id, tags.TRIALS))
    if taken.why != STOPPED:
        shown[CloudRight.SNAPSHOT] = taken.why
    boot.means.tell(f"{boot.key[0]}/{boot.key[1]}: snapshot {taken.seconds:.1f} s {taken.why}")
    return taken


def _report(boot: Boot, out: Findings) -> None:
    subject = f"{boot.key[0]}/{boot.key[1]}"
    failed = boot.failed
    if failed is None:
        steps = ", ".join(f"{one.name} {one.seconds:.1f}" for one in boot.steps)
        out.ok(Area.BOOT, subject, f"ready after {boot.seconds:.1f} s: {steps}")
    elif failed.why == STOPPED:
        out.untested(Area.BOOT, subject, STOPPED)
    else:
        advice = _ADVICE.get(failed.kind, "see the steps")
        out.problem(Area.BOOT, subject, f"{failed.name} failed: {failed.why}", advice)


def _report_removal(boot: Boot, removed: Timed | None, out: Findings) -> None:
    if removed is None or removed.ok:
        return
    out.problem(
        Area.BOOT,
        f"{boot.key[0]}/{boot.key[1]} removal",
        f"server {boot.server or boot.node.view.id} is still there: {removed.why}",
        "delete it by hand; else a launcher does so an hour after launch-timeout",
    )


def _learn(boot: Boot, removed: Timed | None, shown: dict[str, str]) -> None:
    """Note which rights this boot has shown."""
    if boot.server is not None:
        shown[CloudRight.CREATE] = ""
    if boot.tagged is not None:
        shown[TAG] = "" if boot.tagged else "the listing does not show all tags of the order"
    if removed is not None and (boot.server is not None or not removed.ok):
        shown[CloudRight.DELETE] = "" if removed.ok else removed.why


def _sweep(means: Means, out: Findings, servers: Sequence[Server]) -> None:
    """Delete what checks that were killed have left; what is young may be in use."""
    provider = means.owner.provider
    timeout_s = means.policy.config.launch_timeout
    for server in servers:
        if is_forgotten(server, provider, launch_timeout_s=timeout_s, now_s=means.clock.now_s()):
            with out.guarded(Area.BOOT, f"server {server.name} of an earlier check"):
                means.cloud.delete_server(server.id)
                out.ok(Area.BOOT, f"server {server.name} of an earlier check", "deleted")
    _sweep_images(means, out)
    if not means.policy.gives_floating_ips:
        return
    with out.guarded(Area.FLOATING_IPS, "those of earlier checks"):
        for leftover in means.cloud.list_leftovers({LeftoverKind.FLOATING_IP}):
            means.cloud.delete_leftover(leftover)


def _sweep_images(means: Means, out: Findings) -> None:
    provider = means.owner.provider
    timeout_s = means.policy.config.launch_timeout
    with out.guarded(Area.BOOT, "images of earlier checks"):
        for image in means.images.list_images():
            now_s = means.clock.now_s()
            if is_forgotten_image(image, provider, launch_timeout_s=timeout_s, now_s=now_s):
                means.images.delete_image(image.id)
                out.ok(Area.BOOT, f"image {image.name} of an earlier check", "deleted")
