"""What becomes of the words in our ephemeral."""

from builder.contexts import ResultContext
from builder.status.actions import Publish
from remuda.store.api import StoreError


def answered(context: ResultContext, action: Publish, result: object) -> None:
    """Note what it says now; after an error nobody knows."""
    context.published(None if isinstance(result, StoreError) else action.data)
