"""A command of the builder's host that writes the file of an image, instead of base and steps."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from remuda.config.base import AsWritten, Choice, Duration, HostFile, Section, SizeMib
from remuda.config.imagevalues import (
    COMMAND_CHARS_MAX,
    STEP_S_MAX,
    image_properties,
    variables,
)
from remuda.config.parts import ScriptText

#: Larger files are carried by nobody, MiB.
FILE_MIB_MAX: Final = 1 << 20


class CommandScript(ScriptText):
    """A script that writes the file of an image; without `#!` in its first line, of /bin/sh."""

    arguments: tuple[str, ...] = Field(default=(), description="Given to the script, in order.")


class CommandReads(Section):
    """A file, or a folder with all below it, that the command reads on the builder's host."""

    path: Annotated[str, HostFile(tree=True)] = Field(
        description="File or folder, relative to the configuration. Another content is another "
        "recipe."
    )


class ImageCommandFrom(Section):
    """A command that writes the file of an image to the path in REMUDA_OUTPUT.

    It runs on the builder's host, as the builder's user, in a new empty folder that is its HOME
    and TMPDIR, and that is removed afterwards with all that the command has started.
    """

    choices: ClassVar[tuple[Choice, ...]] = (Choice(("run", "script")),)

    run: Annotated[str | None, AsWritten()] = Field(
        default=None,
        min_length=1,
        max_length=COMMAND_CHARS_MAX,
        description="A command line of /bin/sh.",
    )
    script: CommandScript | None = Field(default=None, description="Runs a script.")
    reads: tuple[CommandReads, ...] = Field(
        default=(),
        max_length=100,
        description="What it reads besides: the image is made anew when one of them changes.",
    )
    timeout: Duration = Field(
        default=3600.0, gt=0, le=STEP_S_MAX, description="It is killed after this."
    )
    disk_format: Literal["qcow2", "raw"] = Field(
        default="qcow2", description="What it writes; anything else is refused."
    )
    max_size: SizeMib = Field(
        default=20 * 1024,
        ge=1,
        le=FILE_MIB_MAX,
        description="Of the file, and of the disk in it; so much has to be free on the builder's "
        "host when it begins.",
    )
    min_disk: SizeMib = Field(
        default=0, ge=0, description="Nodes need a disk of this size; never less than the image's."
    )
    min_ram: SizeMib = Field(default=0, ge=0, description="Nodes need so much memory.")
    properties: Annotated[dict[str, str], AfterValidator(image_properties)] = Field(
        default_factory=dict,
        max_length=50,
        description="Of the image in the cloud, for Nova, e.g. hw_firmware_type: uefi.",
    )
    environment: Annotated[dict[str, str], AfterValidator(variables)] = Field(
        default_factory=dict, description="Variables of the command, before those of the recipe."
    )
    secrets: tuple[str, ...] = Field(
        default=(),
        description="Those of the recipe's secrets that it gets, as environment variables of "
        "these names.",
    )

    @property
    def text(self) -> str:
        """What runs.

        Raises:
            ValueError: Its script was never read.
        """
        return (self.run or "") if self.script is None else self.script.text

    @property
    def arguments(self) -> tuple[str, ...]:
        """What its script is given."""
        return () if self.script is None else self.script.arguments
