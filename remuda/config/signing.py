"""Which keys sign what builders state of builds, and verify it; what is in them: ``contents``."""

from typing import Annotated

from pydantic import Field

from remuda.config.base import HostFile, Section


class ImageSigning(Section):
    """With which key statements about builds are signed, and by which they are verified."""

    key_file: Annotated[str | None, HostFile(secret=True)] = Field(
        default=None,
        description="Private key of builders, ed25519 in PEM form, which signs what they state of "
        "each build; null: statements are not signed.",
    )
    public_key_file: Annotated[str | None, HostFile()] = Field(
        default=None,
        description="Public keys in PEM form, by one of which statements have to be signed: those "
        "that sign, and those that have signed before; null: the one of key-file.",
    )
