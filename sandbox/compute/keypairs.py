"""Key pairs, by user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock, iso_micro
from sandbox.web.errors import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A public key somebody can boot servers with."""

    name: str
    public: str
    fingerprint: str
    created_s: float
    kind: str = "ssh"


class KeyPairs:
    """The key pairs of one region."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pairs: dict[str, dict[str, KeyPair]] = {}

    def of_user(self, user_id: str) -> list[KeyPair]:
        """Return a user's key pairs."""
        return list(self._pairs.get(user_id, {}).values())

    def get(self, user_id: str, name: str) -> KeyPair:
        """Return a user's key pair.

        Raises:
            ApiError: 404.
        """
        pair = self._pairs.get(user_id, {}).get(name)
        if pair is None:
            raise ApiError(404, f"Keypair {name} not found for user {user_id}")
        return pair

    def add(self, user_id: str, name: str, public: str, fingerprint: str) -> KeyPair:
        """Add a key pair.

        Raises:
            ApiError: 409, if the name is taken.
        """
        pairs = self._pairs.setdefault(user_id, {})
        if name in pairs:
            raise ApiError(409, f"Key pair '{name}' already exists.")
        pairs[name] = KeyPair(
            name=name, public=public, fingerprint=fingerprint, created_s=self._clock.now_s()
        )
        return pairs[name]

    def drop(self, user_id: str, name: str) -> None:
        """Remove a key pair."""
        self.get(user_id, name)
        del self._pairs[user_id][name]


def keypair_doc(pair: KeyPair, version: tuple[int, int]) -> dict[str, Any]:
    """Show a key pair as in a list."""
    doc: dict[str, Any] = {
        "name": pair.name,
        "public_key": pair.public,
        "fingerprint": pair.fingerprint,
    }
    return doc | {"type": pair.kind} if version >= (2, 2) else doc


def keypair_detail(
    pair: KeyPair, user_id: str, number: int, version: tuple[int, int]
) -> dict[str, Any]:
    """Show a single key pair."""
    return keypair_doc(pair, version) | {
        "user_id": user_id,
        "id": number,
        "created_at": iso_micro(pair.created_s),
        "deleted": False,
        "deleted_at": None,
        "updated_at": None,
    }
