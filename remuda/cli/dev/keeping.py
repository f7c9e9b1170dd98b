"""What `remuda dev` writes so that docs/diagnosis.md can be followed in it. Pure."""

from pathlib import Path
from typing import Any, Final

#: She has a key on this machine, and an account and a project of her own in each cloud.
DEVELOPER: Final = "ada"
#: Of capsules, in the object store of the first cloud.
CONTAINER: Final = "remuda-capsules"


def developers(public_key: Path) -> dict[str, Any]:
    """Return whose keys may be put onto held machines, by name."""
    return {DEVELOPER: {"file": str(public_key)}}


def holds(authority: Path, *, images: bool) -> dict[str, Any]:
    """Return what is allowed of machines that are kept; of an image of one, where there are any."""
    certificates = {"certificates": {"ca-key-file": str(authority), "most": "4h"}}
    taken_home = {"snapshots": {"max-age": "30d", "share": True, "public": True}}
    return {**certificates, **(taken_home if images else {})}


def capsules(folder: Path, cloud: str) -> dict[str, Any]:
    """Return where whole capsules are kept, those of failed jobs, too."""
    return {
        "jobs": [".*"],
        "folder": {"path": str(folder), "max-size": "256MiB"},
        "swift": {"cloud": cloud, "container": CONTAINER},
    }
