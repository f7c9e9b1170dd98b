"""All questions of a check, in order; what one could not ask does not stop the others."""

from launcher.checking.account import check_latencies, check_login, check_servers, check_time
from launcher.checking.findings import Area, Findings
from launcher.checking.floating import check_floating_ips
from launcher.checking.imageroom import check_images
from launcher.checking.making import check_labels, read_offer
from launcher.checking.means import Means
from launcher.checking.ordering import check_orders
from launcher.checking.rights import Shown, ask_rights, judge_rights
from launcher.checking.room import check_quota
from launcher.checking.trial import boot_labels
from remuda.cloud.inspection import CloudRight, Told


def examine(means: Means, out: Findings, *, boot: bool) -> None:
    """Ask everything and note the answers in *out*.

    Args:
        means: What to check.
        out: Filled as far as the check gets, also when it is interrupted.
        boot: Whether to make machines.
    """
    who = check_login(means, out)
    if who is None:
        out.untested(Area.LOGIN, "everything else", "nobody can ask without a login")
        return
    check_time(means, out)
    servers = check_servers(means, out)
    check_latencies(out)
    told = ask_rights(means, out)
    offer = read_offer(means, out)
    recipes = check_labels(means, out, offer)
    check_floating_ips(means, out, offer)
    quota = check_quota(means, out, recipes, servers)
    check_orders(means, out, recipes, quota)
    check_images(means, out, recipes)
    shown: Shown = {}
    if boot and CloudRight.CREATE in told and told[CloudRight.CREATE].told is Told.NO:
        out.untested(Area.BOOT, "boot", "we may not create servers", "get that right first")
    elif boot:
        with means.heeding():
            shown = boot_labels(means, out, recipes, servers)
    judge_rights(out, told, shown, who.roles)
