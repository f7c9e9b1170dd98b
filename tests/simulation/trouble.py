"""What makes trouble during the storm: each kind at times of chance, until all is calm."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from remuda.store.api import Session

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation
    from tests.simulation.sky import Sky


@dataclass(slots=True)
class Trouble:
    """Makes trouble until the storm is over, with a source of chance of its own.

    Attributes:
        purpose: Names that source.
    """

    purpose: ClassVar[str]
    simulation: "Simulation"
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Take an own source of chance."""
        self.rng = self.simulation.random(self.purpose)

    def kinds(self) -> Iterable[tuple[float, Callable[[], None]]]:
        """Return each kind of trouble, and the mean seconds between two of it; 0: never.

        Raises:
            NotImplementedError: If a kind of troublemaker has none.
        """
        raise NotImplementedError

    def begin(self) -> None:
        """Plan the first trouble of each kind."""
        for mean_s, trouble in self.kinds():
            if mean_s:
                self._again(mean_s, trouble)

    def _again(self, mean_s: float, trouble: Callable[[], None]) -> None:
        def strike() -> None:
            if not self.simulation.calm:
                trouble()
                self._again(mean_s, trouble)

        self.simulation.timetable.after(self.rng.expovariate(1.0 / mean_s), strike)

    def _launcher(self) -> "Process | None":
        """Return some launcher that is at work, if there is one."""
        there = [
            process
            for process in self.simulation.processes
            if not process.frozen and process.store.session is Session.CONNECTED
        ]
        return self.rng.choice(there) if there else None

    def _sky(self) -> "Sky":
        return self.simulation.skies[self.rng.choice(sorted(self.simulation.skies))]
