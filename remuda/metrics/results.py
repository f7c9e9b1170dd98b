"""The words for how a launch ended; they are Nodepool's, so that its dashboards keep working."""

from enum import StrEnum


class Result(StrEnum):
    """How a launch ended; the same word stands in metrics and in failure reports."""

    READY = "ready"  # proven
    NETWORK = "error.network"  # active, but without an address, or nothing answers there
    KEYSCAN = "error.keyscan"  # something answers, but with another host key or none
    SSH = "error.ssh"  # the login, the setup or a check failed
    QUOTA = "error.quota"  # the account is full
    STATUS = "error.status"  # the cloud put the server into ERROR, or stopped it
    CREATE_TIMEOUT = "error.servercreatetimeout"  # not active in time
    ORDER = "error.nodepool"  # what we ask is wrong: image, flavor, network, credentials
    UNKNOWN = "error.unknown"  # none of these; the failure report says more
