"""`remuda image`: the group; its parts are loaded only when they are called."""

from collections.abc import Mapping
from typing import Final

from remuda.cli.main import Commands, installed_loaders, own_loaders

#: Other packages add parts under this entry point group: who asks for nodes is no part of the core.
ENTRY_POINTS: Final = "remuda.image_commands"

PARTS: Final[Mapping[str, str]] = {
    "build": "remuda.cli.image.building:build",
    "delete": "remuda.cli.image.for_builders:delete",
    "diff": "remuda.cli.image.difference:diff",
    "list": "remuda.cli.image.overview:list_images",
    "log": "remuda.cli.image.logs:log",
    "pause": "remuda.cli.image.for_builders:pause",
    "pin": "remuda.cli.image.moving:pin",
    "provenance": "remuda.cli.image.provenance:provenance",
    "promote": "remuda.cli.image.moving:promote",
    "restore": "remuda.cli.image.revoking:restore",
    "resume": "remuda.cli.image.for_builders:resume",
    "revoke": "remuda.cli.image.revoking:revoke",
    "rollback": "remuda.cli.image.moving:rollback",
    "show": "remuda.cli.image.overview:show",
    "unpin": "remuda.cli.image.moving:unpin",
    "verify": "remuda.cli.image.verify:verify",
    "withdraw": "remuda.cli.image.moving:withdraw",
}

image = Commands(
    name="image",
    own=own_loaders(PARTS),
    others=lambda: installed_loaders(ENTRY_POINTS),
    help="See images of ours, have them built, and say what launches boot.",
)
