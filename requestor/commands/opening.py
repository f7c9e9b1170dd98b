"""Which image `remuda open` boots: that of a node, or of the machine that a capsule tells of.

Where there is none, one sentence says what is known of the machine, and what can be done.
"""

from pathlib import Path
from typing import Final

from remuda.cli.capsule import kept_capsule
from remuda.cli.capsule_whole import NotFetchedError, read_packed
from remuda.cli.caveats import unknown
from remuda.cli.errors import MistakeError
from remuda.cli.node_change import find_node
from remuda.insight.takehomes import read_take_home, said
from remuda.insight.tree import reader
from remuda.model.capsulefile import node_of_file
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, is_node_id
from remuda.model.node import NodeState
from remuda.model.takehome import TakeHome, TakeHomeState
from remuda.store.api import NotPermittedError, Store
from remuda.visible import visible
from requestor.owning import image_owner

#: What is to be done for the next one.
KEEP: Final = "an image is kept with `remuda hold NODE --snapshot`, while the machine is there"
_RUNS: Final = frozenset({NodeState.READY, NodeState.IN_USE, NodeState.USED, NodeState.HOLD})


def node_named(capsule: str) -> NodeId:
    """Return the node that is meant by its number, or by the file of its capsule.

    Raises:
        MistakeError: It is neither.
    """
    if is_node_id(capsule):
        return NodeId(capsule)
    try:
        data = read_packed(capsule)
    except NotFetchedError as error:
        raise MistakeError(
            f"{visible(capsule[:80])} is no node, such as 3000000001, and no file of a capsule"
            f" that can be read: {error}"
        ) from error
    try:
        return node_of_file(data)
    except CorruptRecordError as error:
        raise MistakeError(f"{Path(capsule).name!a} is no capsule: {error.why}") from error


def image_to_open(store: Store, node: NodeId, *, me: str, force: bool) -> TakeHome:
    """Return the image that the machine of a node has become.

    Raises:
        MistakeError: There is none, or it is somebody else's.
        StoreError: ZooKeeper does not answer.
    """
    try:
        one = read_take_home(store, node)
    except CorruptRecordError as error:
        raise MistakeError(f"the image of node {node} cannot be read: {error}") from error
    if one is None or one.state is TakeHomeState.FAILED:
        raise MistakeError(_without(store, node, one))
    if one.state is not TakeHomeState.WHOLE:
        raise MistakeError(f"node {node}: {said(one)}")
    owner = image_owner(one, me=me)
    if owner is not None and not force:
        raise MistakeError(f"the image of node {node} is of {owner}, not {me}; --force opens it")
    return one


def _without(store: Store, node: NodeId, one: TakeHome | None) -> str:
    """Return what is known of a machine of which there is no image, as a sentence."""
    stored = find_node(store, node)
    living = None if stored is None else stored.value
    why = "" if one is None else f" ({visible(one.failure or said(one))})"
    if living is not None and living.state is NodeState.HOLD:
        return f"node {node} is held still{why}: `remuda ssh {node}`; {KEEP}"
    if living is not None and living.state in _RUNS:
        return (
            f"node {node} is {living.state.said}, and its machine runs: `remuda ssh {node}`; {KEEP}"
        )
    if living is not None:
        return f"node {node} is {living.state.said}, and no image was kept of it; {KEEP}"
    if one is not None or _told(store, node):
        return f"no image was kept of node {node}, whose machine is gone{why}; {KEEP}"
    return unknown(reader(store), f"there is no node {node}, no image and no capsule of it")


def _told(store: Store, node: NodeId) -> bool:
    """Whether a capsule tells of a node, one that cannot be read too."""
    try:
        found, broken = kept_capsule(store, node)
    except NotPermittedError:
        return False  # capsules are for operators: who may not read them knows of none
    return found is not None or broken is not None
