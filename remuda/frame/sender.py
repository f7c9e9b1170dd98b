"""The sender: commits what an action writes, without waiting; the answer comes to the inbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from remuda.frame.work import Written
from remuda.membership.tree import Tree
from remuda.runtime.ground import Ground
from remuda.store.api import Done, Op, StoreError

A = TypeVar("A")


@dataclass(slots=True)
class Sender(Generic[A]):
    """Sends transactions; their outcome comes back as ``Written``."""

    ground: Ground[Any]
    tree: Tree

    def send(
        self, action: A, ops: Sequence[Op], *, made: Sequence[str] = (), wakes: bool = True
    ) -> None:
        """Commit *ops*; the event names *action* and what it has *made*.

        Args:
            action: Whose ops they are.
            ops: What is written.
            made: Ids of what they create, if somebody wants to hear them.
            wakes: Whether an answer is a reason to take a turn though all went well.
        """

        def done(result: tuple[Done, ...] | StoreError) -> None:
            self.ground.inbox.event(
                Written(
                    action=action,
                    result=result,
                    made=tuple(made),
                    answered_s=self.ground.clock.monotonic_s(),
                    uprooted=self.tree.is_torn(ops, result),
                ),
                urgent=wakes or isinstance(result, StoreError),
            )

        self.ground.store.commit_later(ops, done)
