"""Saying that nobody serves a tree: most likely it is another one than is meant."""

from remuda.cli.saying import say
from remuda.insight import tree
from remuda.insight.tree import Reader

NOBODY = "no launcher is running in this ZooKeeper"


def tell_if_nobody_serves(read: Reader) -> None:
    """Say on standard error that no launcher is running, if none is.

    Raises:
        StoreAwayError: If ZooKeeper does not answer.
    """
    if not tree.served(read):
        say(f"remuda: {NOBODY}", err=True)


def unknown(read: Reader, sentence: str) -> str:
    """Return *sentence*, about something that is not there, with what may explain it.

    Raises:
        StoreAwayError: If ZooKeeper does not answer.
    """
    return sentence if tree.served(read) else f"{sentence}; {NOBODY}"
