"""The create calls themselves: would the cloud take what they carry besides names?"""

from collections.abc import Mapping

from launcher.checking.findings import Area, Findings
from launcher.checking.means import Means
from launcher.checking.onenode import new_node
from launcher.policy import Key
from launcher.provider.cloud import Recipe
from launcher.server.specs import ServerSpecs
from remuda.cloud.api import Quota
from remuda.ssh.errors import KeyFileError
from remuda.ssh.userdata import UserDataError


def check_orders(
    means: Means, out: Findings, recipes: Mapping[Key, Recipe], quota: Quota | None
) -> None:
    """Make the order of each label, as a launch does, and send none.

    Args:
        means: What to check.
        out: Takes complaints; there is nothing to say of what is good.
        recipes: The labels that can be made.
        quota: How much metadata the cloud takes; None: it does not say.
    """
    orders = ServerSpecs(policy=means.policy, owner=means.owner)
    for number, (key, recipe) in enumerate(sorted(recipes.items())):
        if recipe.image is None:
            continue  # one of ours: which build, only a launch knows
        subject = "/".join(key)
        try:
            new, host_key = new_node(means, recipe, key, number)
            order = orders.server(new.launch, recipe, host_key)
        except KeyFileError:
            continue  # told where the key itself is looked at
        except UserDataError as exc:
            out.problem(Area.LABEL, f"{subject} user data", str(exc), exc.hint)
            continue
        most = None if quota is None else quota.metadata_items_max
        if most is not None and len(order.tags) > most:
            out.problem(
                Area.LABEL,
                f"{subject} metadata",
                f"{len(order.tags)} items of metadata, ours included; the quota allows {most} for"
                " a server",
                "remove some instance-properties, or raise the quota of metadata items",
            )
