"""``python -m remuda``, and what the ``remuda`` script calls."""

import signal


def run() -> None:
    """Run the command line.

    Until a command listens to Ctrl-C by itself, it ends the process without a word: importing
    takes longer than it takes to change one's mind, and a traceback out of it helps nobody.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from remuda.cli.terminal import guard_terminal, open_closed_streams  # noqa: PLC0415 - it takes long

    open_closed_streams()
    guard_terminal()
    from remuda.cli.main import main  # noqa: PLC0415 - this takes longest

    main()


if __name__ == "__main__":
    run()
