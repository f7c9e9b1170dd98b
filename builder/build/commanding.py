"""The command that writes the file of an image: its environment, and what its end means. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from builder.upload import disk_format
from remuda.cloud.image_store import ImageOrder
from remuda.config.imagecommand import ImageCommandFrom
from remuda.config.recipes import ImageRecipe
from remuda.config.units import show_duration, show_size
from remuda.images.failed import blame_of
from remuda.model import tags
from remuda.model.build import Blame
from remuda.model.builtfile import BuiltFile
from remuda.model.image import BuildId
from remuda.model.tags import ImageTags
from remuda.secret import Secret
from remuda.ssh.tail import last_line

MIB: Final = 1 << 20
_MIB_OF_GIB: Final = 1024
_GIB: Final = 1 << 30
#: Of the builder's own environment a command gets these: where programs are, and the time zone.
KEPT: Final = ("PATH", "TZ")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOrder:
    """A command that is to be run.

    Attributes:
        text: A script.
        environment: What it gets besides what the host says: secrets are among it.
        timeout_s: So long it may take.
        bytes_max: So large its file may become, and so much room it needs.
    """

    text: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 3600.0
    bytes_max: int = 20 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """That a command was ended by us, and why."""

    blame: Blame
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnd:
    """How a command ended.

    Attributes:
        code: Its exit code; of one that a signal has killed, the signal's number below zero; None:
            it goes on, whatever we do.
        output: The end of what it printed, without secrets.
        cut: Why it was ended by us, or None.
    """

    code: int | None
    output: str = ""
    cut: Cut | None = None


def order_of(
    recipe: ImageRecipe, build: BuildId, provider: str, secrets: Mapping[str, Secret]
) -> CommandOrder:
    """Return the command of a recipe, with what it gets to know.

    Raises:
        ValueError: It has none, or its script was never read.
    """
    command = command_of(recipe)
    ours = {
        "REMUDA_IMAGE": build.image,
        "REMUDA_BUILD": str(build.number),
        "REMUDA_PROVIDER": provider,
        "REMUDA_DISK_FORMAT": command.disk_format,
    }
    given = {name: secrets[name] for name in command.secrets}
    return CommandOrder(
        text=command.text,
        arguments=command.arguments,
        environment={**recipe.environment, **ours, **given},
        timeout_s=command.timeout,
        bytes_max=command.max_size * MIB,
    )


def command_of(recipe: ImageRecipe) -> ImageCommandFrom:
    """Return the command of a recipe.

    Raises:
        ValueError: It has none.
    """
    if recipe.command is None:
        raise ValueError(f"{recipe.name} is made on a machine")
    return recipe.command


def environment(
    order: CommandOrder, host: Mapping[str, str], home: str, output: str
) -> dict[str, str]:
    """Return all variables that a command gets: nothing else of the builder's own.

    Args:
        order: The command.
        host: The builder's environment.
        home: A new folder.
        output: Where its file is to be.
    """
    kept = {name: host[name] for name in KEPT if name in host}
    return {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        **kept,
        "HOME": home,
        "TMPDIR": home,
        **{name: "".join(value) for name, value in order.environment.items()},
        "REMUDA_OUTPUT": output,
    }


def late(order: CommandOrder) -> Cut:
    """Return that it takes too long."""
    limit = show_duration(order.timeout_s)
    return Cut(blame=Blame.RECIPE, why=f"it was ended after {limit}, its limit")


def too_large(order: CommandOrder, size_bytes: int) -> Cut | None:
    """Return that its file is too large, or None."""
    if size_bytes <= order.bytes_max:
        return None
    limit = show_size(order.bytes_max // MIB)
    return Cut(blame=Blame.RECIPE, why=f"its file is larger than {limit}, its max-size")


def no_room(free_bytes: int, needed_bytes: int) -> str | None:
    """Return why this host has no room, or None."""
    if free_bytes >= needed_bytes:
        return None
    return (
        f"the builder's host has {free_bytes // MIB} MiB left for what commands write, and"
        f" {needed_bytes // MIB} MiB are needed"
    )


def why_failed(end: CommandEnd) -> tuple[Blame, str] | None:
    """Return whose failure it was that a command ended so, and why; None: it went well."""
    if end.code is None:
        return Blame.BUILDER, "it could not be ended: it runs as another user, or hangs"
    if end.cut is not None:
        return end.cut.blame, end.cut.why
    if end.code == 0:
        return None
    if end.code < 0:  # none of ours: somebody else on this host, or the kernel for want of memory
        return Blame.BUILDER, f"it was killed by signal {-end.code}"
    last = last_line(end.output)
    said = f"exit code {end.code}"
    return blame_of(end.output), f"{last} ({said})" if last else said


def virtual_bytes(head: bytes, size_bytes: int, command: ImageCommandFrom) -> int | str:
    """Return how large the disk in a file is, or why it is not sent anywhere.

    Args:
        head: How it begins, see :data:`builder.upload.disk_format.HEAD_BYTES`.
        size_bytes: Of the file.
        command: What has written it.
    """
    if size_bytes == 0:
        return "its file is empty"
    why = disk_format.why_head_refused(head, command.disk_format)
    if why is not None:
        return f"its file is refused: {why} (disk-format: {command.disk_format})"
    found = disk_format.virtual_bytes(head, size_bytes, command.disk_format)
    if found is None:
        return f"its file is refused: it has no disk of whole sectors, as {command.disk_format} has"
    largest = max(found, size_bytes)
    if largest > command.max_size * MIB:
        limit = show_size(command.max_size)
        return f"its disk has {-(-largest // MIB)} MiB, and max-size is {limit}"
    return found


def image_order(file: BuiltFile, command: ImageCommandFrom, ours: ImageTags) -> ImageOrder:
    """Return the order for an image of a file: hidden, ours by its tags."""
    least = math.ceil(command.min_disk / _MIB_OF_GIB)
    return ImageOrder(
        name=ours.name,
        disk_format=file.disk_format,
        properties={**command.properties, **tags.make_image(ours)},
        min_disk_gib=max(least, math.ceil(file.virtual_bytes / _GIB)),
        min_ram_mib=command.min_ram,
        hidden=True,
        sha512=file.sha512,
    )


def is_the_file(file: BuiltFile, size_bytes: int | None, os_hash: str | None) -> bool:
    """Whether what a cloud tells of an image shows that it is a file, and no other.

    A cloud that has no strong hash cannot show that.
    """
    known = {f"sha512:{file.sha512}", f"sha256:{file.sha256}"}
    return size_bytes == file.size_bytes and (os_hash or "").lower() in known
