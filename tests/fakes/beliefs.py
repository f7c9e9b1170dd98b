"""What the mirrors of a store believe, compared with what is there: when all is heard, the same."""

from collections.abc import Iterator

from remuda.store.mirror import TreeMirror
from tests.fakes.store import FakeStore
from tests.fakes.store_tree import Tree


def misbeliefs(store: FakeStore, tree: Tree) -> list[str]:
    """Return in what the mirrors of a store differ from *tree*, a sentence each.

    A path that is called dirty and is not being read counts, too: nobody would act upon its
    record until it changes again, which it need not.
    """
    return [wrong for mirror in store._mirrors for wrong in _of_one(mirror, tree)]


def _of_one(mirror: TreeMirror, tree: Tree) -> Iterator[str]:
    there = {path for path in tree.paths() if mirror.covers(path)}
    for path in sorted(mirror._known.keys() - there):
        yield f"{path} is gone, and is believed in"
    for path in sorted(there - mirror._known.keys()):
        yield f"{path} is there, and not known"
    for path in sorted(there & mirror._known.keys()):
        node, known = tree.get(path), mirror._known[path]
        if node is not None and mirror._wanted(path) and known != node.stat.mzxid:
            yield f"{path} is at {node.stat.mzxid}, and {known or 'nothing'} is known of it"
