"""What can go wrong on the way into a machine; the type is the reaction."""

from typing import ClassVar


class SshError(Exception):
    """Root of all that this package raises for what a machine, network or key file does.

    Attributes:
        too_early: The machine may still be booting: try again until your own deadline.
    """

    too_early: ClassVar[bool] = False


class NotYetError(SshError):
    """Refused, unreachable, silent, or closed before a word: sshd is not up yet."""

    too_early = True


class NotSshError(SshError):
    """Something answers that does not speak SSH, or not a dialect of ours: a person must look."""


class HostKeyMismatchError(SshError):
    """Not the machine we made, or one that made its own key: never log in, make another."""


class LoginRefusedError(SshError):
    """Our key does not open the account; yet cloud-init may install it after sshd has started."""

    too_early = True


class KeyFileError(SshError):
    """Our own private key cannot be used: configuration, nothing the machine could mend."""


class ConnectionLostError(SshError):
    """The connection broke after the login: whether a command ended is not known."""
