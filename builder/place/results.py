"""What the looks at places do to what is known."""

from builder.contexts import ResultContext
from builder.place.events import ImagesListed, ProviderSeen


def seen(context: ResultContext, event: ProviderSeen) -> None:
    """Take in what a cloud said, and say that it is away, or back."""
    before = context.world.places.seen.get(event.provider)
    if event.trouble is not None and (before is None or before.trouble != event.trouble):
        context.log.warning("provider.trouble", provider=event.provider, why=event.trouble)
    elif event.trouble is None and before is not None and before.trouble is not None:
        context.log.info("provider.back", provider=event.provider)
    context.world.places.take_seen(event)
    context.world.dirty = True


def listed(context: ResultContext, event: ImagesListed) -> None:
    """Take in a listing."""
    context.world.places.take_listing(event)
    context.world.dirty = True
