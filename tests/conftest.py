"""For all tests: surroundings that do not depend on who started them."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from remuda import logs
from remuda.known_secrets import KNOWN

#: Shorter than the text of any key.
_NAMED_CHARS_MAX = 60


def pytest_configure() -> None:
    """Let properties take their time, and signals arrive again in the processes that tests start.

    Each run draws the same examples, so that what passes once passes always: pytest
    --hypothesis-profile=other draws others, to look for what these do not show.

    A shell without job control starts background jobs with SIGINT ignored, nohup those with
    SIGHUP, and children inherit that: Python then installs no handler for SIGINT, our commands
    leave alone what is ignored, and so does a shell behind sshd.
    """
    # How fast this machine is proves nothing about a property.
    slow = (HealthCheck.too_slow,)
    settings.register_profile("other", deadline=None, suppress_health_check=slow)
    settings.register_profile("same", settings.get_profile("other"), derandomize=True)
    settings.load_profile("same")
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    for number, handler in usual.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Call long texts by their argument: keys are made anew in each process of one run.

    All of its processes have to find the same tests. Pytest numbers names that are the same.
    """
    return argname if isinstance(val, (str, bytes)) and len(val) > _NAMED_CHARS_MAX else None


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    """What one test held as a secret is a plain word in the next."""
    KNOWN.forget()
    yield
    KNOWN.forget()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What one test makes of this process's logs, as commands do, is not there in the next.

    Which tests share a process differs from machine to machine.
    """
    root, ours = logging.getLogger(), logging.getLogger(logs.ROOT)
    handlers, levels = root.handlers[:], (root.level, ours.level)
    hooks, last_resort = (sys.excepthook, threading.excepthook), logging.lastResort
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook = hooks
    logging.lastResort = last_resort
