"""Refusing names that nobody knows, with what may have been meant."""

from collections.abc import Sequence

from remuda.cli.errors import MistakeError
from remuda.config.name_guesses import nearest
from remuda.insight import tree
from remuda.insight.tree import TreeReader


def check_labels(read: TreeReader, labels: Sequence[str]) -> None:
    """Refuse labels that no registered pool offers, if any pool is registered.

    Raises:
        MistakeError: With the nearest name.
        StoreAwayError: If ZooKeeper does not answer.
    """
    offered = tree.offered_labels(tuple(tree.pools(read).records.values()))
    for label in labels if offered else ():
        if label not in offered:
            raise MistakeError(f"no pool offers the label {label!r}; {nearest(label, offered)}")


def check_provider(read: TreeReader, provider: str | None) -> None:
    """Refuse a provider without a registered pool, if any pool is registered.

    Raises:
        MistakeError: With the nearest name.
        StoreAwayError: If ZooKeeper does not answer.
    """
    known = sorted({one.provider for one in tree.pools(read).records.values()})
    if provider is not None and known and provider not in known:
        raise MistakeError(f"there is no provider {provider!r}; {nearest(provider, known)}")


def check_filters(read: TreeReader, *, labels: Sequence[str], providers: Sequence[str]) -> None:
    """Refuse words to choose by that nobody knows: to be asked when they choose nothing.

    Raises:
        MistakeError: With the nearest name.
        StoreAwayError: If ZooKeeper does not answer.
    """
    pools = tuple(tree.pools(read).records.values())
    statuses = tree.statuses(read).records
    told = {name for one in statuses.values() for name in one.labels}
    offered = sorted({*told, *tree.offered_labels(pools)})
    known = sorted({*statuses, *(one.provider for one in pools)})
    for provider in providers if known else ():
        if provider not in known:
            raise MistakeError(f"there is no provider {provider!r}; {nearest(provider, known)}")
    for label in labels if offered else ():
        if label not in offered:
            raise MistakeError(f"no pool offers the label {label!r}; {nearest(label, offered)}")
