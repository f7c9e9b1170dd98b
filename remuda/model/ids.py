"""Identifiers, kept apart by type so that one is never taken for another."""

from typing import Final, NewType

NodeId = NewType("NodeId", str)
RequestId = NewType("RequestId", str)
ServerId = NewType("ServerId", str)
ProviderName = NewType("ProviderName", str)
PoolName = NewType("PoolName", str)
ReplicaId = NewType("ReplicaId", str)

#: ZooKeeper numbers sequence znodes with a signed 32-bit counter printed as ten digits. Our own
#: node ids are ten digits too, but start above anything that counter can reach, so that they
#: never collide with a node that another launcher made with a sequence.
FIRST_NODE_NUMBER: Final = 3_000_000_000
LAST_NODE_NUMBER: Final = 9_999_999_999
#: Ids are drawn from ZooKeeper in blocks; one write to the counter serves this many nodes.
NODE_ID_BLOCK: Final = 100
NODE_ID_DIGITS: Final = 10


def is_node_id(text: str) -> bool:
    """Whether a text that somebody wrote, on a server perhaps, can be a node's id."""
    return text.isascii() and text.isdecimal() and len(text) == NODE_ID_DIGITS


def node_ids_of_block(block: int) -> tuple[NodeId, ...]:
    """Return the node ids of the *block*-th block (the counter znode's version).

    Raises:
        ValueError: If the block lies outside the ten-digit range.
    """
    first = FIRST_NODE_NUMBER + block * NODE_ID_BLOCK
    if block < 0 or first + NODE_ID_BLOCK - 1 > LAST_NODE_NUMBER:
        raise ValueError(f"node id block {block} is out of range")
    return tuple(NodeId(f"{first + i:010d}") for i in range(NODE_ID_BLOCK))
