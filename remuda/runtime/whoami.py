"""Who works at this terminal: what is written into records so that others know whom to ask."""

import getpass
import os
import socket


def user_at_host() -> str:
    """Return ``user@host``, for who does not say who they are."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for this user
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
