"""What machines say of their interfaces."""

HEAD = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop"
    " fifo colls carrier compressed\n"
)


def net_dev(received: int, *, name: str = "eth0") -> str:
    """Return /proc/net/dev of a machine with one interface beside loopback (proc(5))."""
    return f"{HEAD}{line('lo', 999)}{line(name, received)}"


def line(name: str, received: object) -> str:
    """Return the line of one interface."""
    return f"{name:>6}: {received} 9 0 0 0 0 0 0 4711 8 0 0 0 0 0 0\n"
