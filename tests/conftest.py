"""For all tests: surroundings that do not depend on who started them."""

import signal


def pytest_configure() -> None:
    """Let Ctrl-C arrive again in the processes that tests start.

    A shell without job control starts background jobs with SIGINT ignored, and children inherit
    that: Python then installs no handler, and neither does a shell behind sshd.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
