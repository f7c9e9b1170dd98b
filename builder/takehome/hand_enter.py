"""The machine of a hold: vouched for, and entered with its launcher's help."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from builder.hands import blame
from builder.machine.hand_enter import Door, enter
from builder.machine.hand_login_keys import LoginKey
from builder.machine.hand_vouch import forged, read_launch, refusal
from builder.machine.held import HeldMachine
from remuda.cloud.api import Cloud
from remuda.insight.facts import facts_of
from remuda.model import node as node_record
from remuda.model.build import Blame
from remuda.model.codec import CorruptRecordError
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState
from remuda.model.tags import Owner
from remuda.model.takehome import TakeHome
from remuda.runtime.waiting import Waiting
from remuda.store import paths
from remuda.store.api import Store

_STEP: Final = "machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldMachine:
    """The machine of a hold, as our own configuration says that it is logged in to.

    Attributes:
        cloud, owner: Where it runs, and who made it.
    """

    store: Store
    taken: TakeHome
    cloud: Cloud
    owner: Owner
    user: str
    port: int

    def let_in(
        self, store: Store, key: LoginKey, waiting: Waiting, tell_key: Callable[[str], None]
    ) -> HeldMachine:
        """See :class:`builder.machine.hand_enter.Entered`."""
        launch, node = self.read()
        if why := forged(launch, facts_of(node)):
            raise refusal(node.id, why)
        door = Door(
            cloud=self.cloud,
            owner=self.owner,
            user=self.user,
            port=self.port,
            launch=launch,
            node=node,
            check=self.check,
        )
        return enter(store, door, key, waiting, tell_key)

    def check(self) -> None:
        """Do nothing while the machine is held, and its launcher's word stands.

        Raises:
            MishapError: It is not.
            StoreError: ZooKeeper does not say.
        """
        self.read()

    def read(self) -> tuple[Launch, Node]:
        """Return the records of the machine; raises as :meth:`check`."""
        node_id = self.taken.node
        launch = read_launch(self.store, self.taken.provider, node_id)
        if launch.step is not Step.DONE:
            raise self._gone("is being deleted")
        answer = launch.take_home
        if answer is None or answer.refused is not None:
            raise refusal(node_id, "was not given for this by its launcher")
        if answer.wish.token != self.taken.wish.token:
            raise self._gone("has another order by now")
        (stored,) = self.store.read_many([paths.node(node_id)])
        if stored is None:
            raise self._gone("is gone")
        try:
            node = node_record.decode(node_id, stored.value)
        except CorruptRecordError as exc:
            raise refusal(node_id, f"has a record that cannot be read: {exc.why}") from exc
        if node.state is not NodeState.HOLD:
            raise self._gone(f"is not held any more (it is {node.state})")
        return launch, node

    def _gone(self, why: str) -> blame.MishapError:
        return blame.fail(_STEP, Blame.JOB, f"node {self.taken.node} {why}")
