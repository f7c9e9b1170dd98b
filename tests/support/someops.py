"""Small transactions at random, for histories of mirrors; some of them are rejected."""

import random

from remuda.store.api import Create, Delete, Op, Set


def some_ops(dice: random.Random, number: int, *, names: str = "pqrs") -> list[Op]:
    """Return a small transaction on few paths below ``/r``; *number* is what it writes."""
    path, data = f"/r/{dice.choice(names)}", str(number).encode()
    choices: list[list[Op]] = [
        [Create(path=path, data=data)],
        [Set(path=path, data=data, version=-1)],
        [Set(path=path, data=data, version=dice.randrange(3))],
        [Delete(path=path)],
        [Create(path="/r/s-", data=data, sequence=True, ephemeral=True)],
        [Delete(path=path), Create(path=path, data=data)],
    ]
    return dice.choice(choices)
