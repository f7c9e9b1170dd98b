"""For all tests: surroundings that do not depend on who started them."""

import signal


def pytest_configure() -> None:
    """Let signals arrive again in the processes that tests start.

    A shell without job control starts background jobs with SIGINT ignored, nohup those with
    SIGHUP, and children inherit that: Python then installs no handler for SIGINT, our commands
    leave alone what is ignored, and so does a shell behind sshd.
    """
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    for number, handler in usual.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
