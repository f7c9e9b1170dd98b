"""A certificate for one visit to a held machine: a fresh key, signed by the site's authority."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from remuda.model.node import Node
from remuda.model.publickey import parse_key
from remuda.runtime.clock import Clock
from remuda.store.api import Store, StoreAwayError
from requestor.errors import KeyRefusedError, RequestorError
from requestor.keys import key_wishes, wait_for_keys, wish_keys


@contextmanager
def certified(store: Store, clock: Clock, node: Node, folder: Path, *, me: str) -> Iterator[str]:
    """Give a private key in *folder*, with its certificate beside it, as long as it is wanted.

    The wish is taken back at the end. Yields an empty text if there is no certificate to be had:
    the site has no authority, or the launcher does not answer.

    Args:
        store: Where the records are.
        clock: The time.
        node: The held node.
        folder: For the two files; nobody else can read it.
        me: Who wishes it.
    """
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (wish,) = key_wishes([parse_key(public)], None, by=me, account=None, now_s=clock.now_s())
    wish = replace(wish, certify=True)
    wished = False
    try:
        certificate = None
        with suppress(KeyRefusedError):  # as many keys as there may be: ssh may know another
            written = wish_keys(
                store,
                node.id,
                lambda before: (*before, wish),
                judge=lambda _node: None,
                by=me,
                now_s=clock.now_s(),
            )
            wished = True
            answers = wait_for_keys(store, clock, written, frozenset({wish.token}), gone=False)
            certificate = answers[0].certificate if answers else None
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
            with suppress(RequestorError, StoreAwayError):
                wish_keys(
                    store,
                    node.id,
                    lambda before: tuple(one for one in before if one.token != wish.token),
                    judge=lambda _node: None,
                    by=me,
                    now_s=clock.now_s(),
                )
