"""What machines fetch that boot no image of ours: with what an image is compared."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from remuda.model.codec import CorruptRecordError
from remuda.model.tally import PLAIN, PLAIN_BUILD, BuildTally, decode_tally
from remuda.store import paths
from remuda.store.api import NotPermittedError, Store


def read_plain(store: Store, providers: Iterable[str]) -> Mapping[str, BuildTally]:
    """Return it by provider; a record that is closed or broken hides no image.

    Raises:
        StoreAwayError: If ZooKeeper stays away.
    """
    found: dict[str, BuildTally] = {}
    for provider in providers:
        with suppress(CorruptRecordError, NotPermittedError):
            stored = store.read(paths.plain_tally(provider))
            if stored is not None:
                tally = decode_tally(PLAIN, provider, stored.value)
                found[provider] = tally.of(PLAIN_BUILD)
    return found
