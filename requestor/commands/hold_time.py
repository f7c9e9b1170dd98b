"""How long a machine may be held at most, before anybody relies on more."""

from remuda.cli.errors import MistakeError
from remuda.cli.output import age
from remuda.insight import tree
from remuda.store.api import Store


def refuse_too_long(store: Store, for_s: float, option: str) -> None:
    """Refuse a hold that no provider would keep for so long, as far as they say.

    Args:
        store: Where providers say what they keep.
        for_s: How long, in seconds.
        option: What said so, such as ``--for``.

    Raises:
        MistakeError: With the longest of their maximums.
        StoreError: ZooKeeper does not answer.
    """
    most = [one.max_hold_age_s for one in tree.statuses(tree.reader(store)).records.values()]
    bounded = [one for one in most if one is not None]
    if most and len(bounded) == len(most) and for_s > max(bounded):
        raise MistakeError(
            f"no provider keeps a machine for longer than {age(max(bounded))} (max-hold-age): "
            f"{option} {age(for_s)} would keep none"
        )
