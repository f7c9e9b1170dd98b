"""What can go wrong on the way into a machine; the type is the reaction."""

from typing import ClassVar, Final

from remuda.redaction import redact_begin

#: Machines choose some of the words in our errors; nobody reads more than this of them.
TEXT_MAX: Final = 400


class SshError(Exception):
    """Root of all that this package raises for what a machine, network or key file does.

    Attributes:
        too_early: The machine may still be booting: try again until your own deadline.
    """

    too_early: ClassVar[bool] = False

    def __init__(self, why: str) -> None:
        """Say *why*, or its beginning: it goes into logs and records, so it is redacted here."""
        super().__init__(redact_begin(why, TEXT_MAX))


class NotYetError(SshError):
    """Refused, unreachable, silent, or closed before a word: sshd is not up yet."""

    too_early = True


class NotSshError(SshError):
    """Something answers that does not speak SSH, or not a dialect of ours: a person must look."""


class HostKeyMismatchError(SshError):
    """Not the machine we made, or one that made its own key: never log in, make another."""


class HostKeyUnknownError(SshError):
    """Nothing says which machine is the right one: any would do, so none does."""


class LoginRefusedError(SshError):
    """Our key does not open the account; yet cloud-init may install it after sshd has started."""

    too_early = True


class NoCommandsError(SshError):
    """Our key opens the account, but it executes nothing: it has expired, or its shell refuses."""


class KeyFileError(SshError):
    """Our own private key cannot be used: configuration, nothing the machine could mend."""


class KeySourceError(SshError):
    """Where somebody's public key was to come from has none: a file, an agent, a URL."""


class NoKeyError(SshError):
    """There is no key to log in with: waiting for the machine makes none."""


class CutShortError(SshError):
    """What was under way was ended by us: it took too long, or nobody wants it any more."""


class ConnectionLostError(SshError):
    """The connection broke after the login: whether a command ended is not known."""
