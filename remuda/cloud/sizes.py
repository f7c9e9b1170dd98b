"""What an image needs of a machine, and which size of machine is wanted for it."""

from dataclasses import dataclass
from typing import Final

GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNeeds:
    """What an image needs of the machine that boots from it; 0: nothing, or nobody knows.

    Attributes:
        disk_gib: Of the disk that it is written to: the flavor's own, or a volume.
    """

    ram_mib: int = 0
    disk_gib: int = 0


#: Any machine will do, as far as is known.
NO_NEEDS: Final = ImageNeeds()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlavorWanted:
    """Which flavor: by name, or the smallest with at least these; in any case one for its image.

    *name* together with minimums: smallest of those whose name contains it. *name* alone may
    also be a flavor's id.

    Attributes:
        needs: What the image needs besides.
        local_disk: The image is written to the flavor's own disk, not to a volume. A flavor of
            disk 0 sets no limit, but most clouds let nobody boot an image from one: it is taken
            only where there are no others.
    """

    name: str | None = None
    ram_mib: int = 0
    cores: int = 0
    disk_gib: int = 0
    needs: ImageNeeds = NO_NEEDS
    local_disk: bool = True
