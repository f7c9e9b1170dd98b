"""A certificate for one visit to a held machine: a fresh key, signed by the site's authority."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from remuda.model.holdwish import KeyWish
from remuda.model.ids import NodeId
from remuda.model.node import Node
from remuda.model.publickey import parse_key
from remuda.runtime.clock import Clock
from remuda.store.api import Store, StoreAwayError, StoreError
from requestor.errors import RequestorError
from requestor.keys import key_wishes, wait_for_keys, wish_keys

log = logging.getLogger(__name__)


#: Whoever waits for longer is told for what.
TELL_S: Final = 2.0


@contextmanager
def certified(
    store: Store,
    clock: Clock,
    node: Node,
    folder: Path,
    *,
    me: str,
    check: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> Iterator[str]:
    """Give a private key in *folder*, with its certificate beside it, as long as it is wanted.

    The wish is taken back at the end. Yields an empty text if there is no certificate to be had,
    whatever the reason: the site has no authority, the launcher does not answer, a record cannot
    be read or written, ZooKeeper is away. ssh may know another key.

    Args:
        store: Where the records are.
        clock: The time.
        node: The held node.
        folder: For the two files; nobody else can read it.
        me: Who wishes it.
        check: Called before each look at the answer; what it raises ends the visit, and the wish
            is taken back.
        tell: Told in a sentence what is waited for, once that has taken a while.
    """
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (wish,) = key_wishes([parse_key(public)], None, by=me, account=None, now_s=clock.now_s())
    wish = replace(wish, certify=True)
    wished = False
    try:
        certificate = None
        try:
            written = _change(store, clock, node.id, lambda before: (*before, wish), me=me)
            wished = True
            looking = _looking(clock, node.id, check, tell)
            tokens = frozenset({wish.token})
            answers = wait_for_keys(store, clock, written, tokens, gone=False, check=looking)
            certificate = answers[0].certificate if answers else None
        except (RequestorError, StoreError) as error:
            wished = wished or isinstance(error, StoreAwayError)  # it may be written all the same
            log.info("no certificate for node %s: %s", node.id, error)
        if certificate is None:
            yield ""
            return
        file = folder / "key"
        file.touch(mode=0o600)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        (folder / "key-cert.pub").write_text(f"{certificate}\n")
        yield str(file)
    finally:
        if wished:
            with suppress(RequestorError, StoreError):
                _change(store, clock, node.id, partial(_without, token=wish.token), me=me)


def _change(
    store: Store,
    clock: Clock,
    node: NodeId,
    change: Callable[[tuple[KeyWish, ...]], tuple[KeyWish, ...]],
    *,
    me: str,
) -> Node:
    """Change the wishes of a node, of which we have seen already that we may."""
    return wish_keys(store, node, change, judge=lambda _node: None, by=me, now_s=clock.now_s())


def _without(wishes: tuple[KeyWish, ...], *, token: str) -> tuple[KeyWish, ...]:
    return tuple(one for one in wishes if one.token != token)


def _looking(
    clock: Clock, node: NodeId, check: Callable[[], None], tell: Callable[[str], None]
) -> Callable[[], None]:
    """Return what is called before each look: it checks, and tells once that it takes a while."""
    tell_at_s = clock.monotonic_s() + TELL_S
    told = False

    def look() -> None:
        nonlocal told
        check()
        if not told and clock.monotonic_s() >= tell_at_s:
            told = True
            tell(f"waiting for a certificate from the launcher of node {node}")

    return look
