"""Whether a snapshot of a server holds all that is on it."""

from remuda.cloud.api import Server


def unfit(server: Server) -> str | None:
    """Return why a snapshot of a server would not hold all that is on it, or None."""
    if not server.volumes:
        return None
    if server.image_id is None:
        return "the machine boots from a volume, of which a snapshot has no data"
    return "the machine has volumes attached, which would not be in the image: detach them first"
