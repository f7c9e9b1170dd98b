"""Whose launches failed: a request may be given up for its own only."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from remuda.config.model import Config
from remuda.model.ids import NodeId, RequestId
from remuda.model.imageask import ImageUse
from remuda.model.launch import Launch, Step
from remuda.model.request import Request, RequestState
from tests.simulation.history import History


@dataclass(slots=True)
class Accounts:
    """Counts failed launches by provider and request, since the provider claimed it.

    Attributes:
        request: Reads a request as it is.
        attempts: Launches that may fail for each node of a request, by provider.
    """

    history: History
    request: Callable[[RequestId], Request | None]
    attempts: dict[str, int] = field(default_factory=dict)
    _failed: dict[tuple[str, RequestId], dict[NodeId, str]] = field(default_factory=dict)

    def configured(self, config: Config) -> None:
        """Take note of what is configured."""
        self.attempts = {name: one.launch_attempts for name, one in config.providers.items()}

    def request_changed(self, who: str, old: Request, new: Request) -> None:
        """Judge what a launcher wrote to a request: it gives up what it claimed in time only."""
        provider = who.partition(".")[0].rstrip("0123456789")
        if old.state is RequestState.REQUESTED and new.state is RequestState.PENDING:
            self._failed.pop((provider, old.id), None)
        if old.state is not RequestState.PENDING or new.declined_by == old.declined_by:
            return
        attempts = self.attempts[provider]
        if old.image is not None and old.image.use is ImageUse.PROVE:
            attempts = 1  # each launch is a try of its own, which its builder judges
        failed = Counter(self._failed.get((provider, old.id), {}).values())
        if not any(n >= attempts * old.labels.count(label) for label, n in failed.items()):
            self.history.fail(
                f"{who} gave up {old.id} of {old.labels} after {dict(failed)} failed launches of "
                f"its own, with {attempts} attempts each"
            )

    def launch_changed(self, provider: str, old: Launch | None, new: Launch) -> None:
        """Judge for whom a launch is made, and take note of its failure."""
        account = new.on_account_of
        if account is None:
            return
        if old is None:
            found = self.request(account)
            if found is not None and new.label not in found.labels:
                self.history.fail(f"{new.id} of {new.label} is on account of {account}")
        elif new.step is Step.CONDEMNED and old.step is not new.step:
            if new.failed is not None and old.step is Step.DONE:
                self.history.fail(f"{new.id} failed after it was ready: {new.why}")
            if new.failed is not None:
                self._failed.setdefault((provider, account), {})[new.id] = new.label
