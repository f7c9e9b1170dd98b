"""What the written records of images are told by."""

from builder.contexts import ResultContext
from builder.image.actions import MakeImage


def recorded(context: ResultContext, action: MakeImage) -> None:
    """Say that an image is wholly on record."""
    context.log.info("image.recorded", image=action.id)
