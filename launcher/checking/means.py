"""What a check works with: the configuration, the cloud, time; tests give their own."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from launcher.policy import Policy
from remuda.cloud.api import Cloud
from remuda.cloud.image_store import ImageStore
from remuda.cloud.inspection import Inspector
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.runtime.clock import Clock
from remuda.ssh.api import Prover


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _never() -> bool:
    return False


def _silent(_text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """One provider to check, and how.

    Attributes:
        run: Tells this check from others; part of what its servers are called.
        pause: Waits so many seconds.
        stopped: Whether the user wants us to end; everything is removed then.
        heeding: Entered while there may be machines of ours: from then on Ctrl-C only makes
            *stopped* true.
        tell: Shows progress.
    """

    policy: Policy
    cloud: Cloud
    inspector: Inspector
    images: ImageStore
    prover: Prover
    clock: Clock
    run: str
    pause: Callable[[float], None] = _wait
    stopped: Callable[[], bool] = _never
    heeding: Callable[[], AbstractContextManager[object]] = nullcontext
    tell: Callable[[str], None] = field(default=_silent)

    @property
    def owner(self) -> tags.Owner:
        """Who answers for what we make."""
        return tags.trial_owner(ProviderName(self.policy.provider))
