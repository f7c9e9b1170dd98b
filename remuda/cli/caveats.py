"""Saying what a list cannot show: that nobody serves the tree, and what is closed to us.

Without launchers it is most likely another tree than is meant.
"""

from remuda.cli.output import closed_notes
from remuda.cli.terminal import say
from remuda.insight import tree
from remuda.insight.tree import StoreReader, TreeReader

NO_LAUNCHER = "no launcher is running in this ZooKeeper"


def tell_what_is_missing(read: StoreReader) -> None:
    """Say on standard error that no launcher is running, if none is, and what was closed to us.

    Raises:
        StoreAwayError: If ZooKeeper does not answer.
    """
    if not tree.served(read):
        say(f"remuda: {NO_LAUNCHER}", err=True)
    for note in closed_notes(read.closed):
        say(f"remuda: {note}", err=True)


def unknown(read: TreeReader, sentence: str) -> str:
    """Return *sentence*, about something that is not there, with what may explain it.

    Raises:
        StoreAwayError: If ZooKeeper does not answer.
    """
    return sentence if tree.served(read) else f"{sentence}; {NO_LAUNCHER}"
