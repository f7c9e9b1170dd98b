"""Tokens: opaque, and good for a while."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sandbox.clock import Clock
from sandbox.web.call import Who

_SWEEP_AT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and whose it is; times in seconds since the epoch."""

    id: str
    who: Who
    issued_at_s: float
    expires_at_s: float
    methods: tuple[str, ...]


class Tokens:
    """All tokens that have not expired.

    Attributes:
        lifetime_s: Of those that will be issued.
    """

    def __init__(self, clock: Clock, lifetime_s: float) -> None:
        self._clock = clock
        self.lifetime_s = lifetime_s
        self._tokens: dict[str, Token] = {}

    def issue(self, who: Who, methods: tuple[str, ...]) -> Token:
        """Make a token for *who*."""
        now_s = self._clock.now_s()
        if len(self._tokens) >= _SWEEP_AT:
            self._tokens = {t.id: t for t in self._tokens.values() if t.expires_at_s > now_s}
        token = Token(
            id=f"gAAAAA{secrets.token_urlsafe(64)}",
            who=who,
            methods=methods,
            issued_at_s=now_s,
            expires_at_s=now_s + self.lifetime_s,
        )
        self._tokens[token.id] = token
        return token

    def get(self, token_id: str) -> Token | None:
        """Return the token, unless it is unknown or expired."""
        token = self._tokens.get(token_id)
        if token is None or token.expires_at_s <= self._clock.now_s():
            return None
        return token

    def who(self, token: str) -> Who | None:
        """Return whose token it is; see :class:`sandbox.web.call.Authority`."""
        found = self.get(token)
        return found.who if found else None

    def revoke(self, token_id: str) -> None:
        """Forget a token."""
        self._tokens.pop(token_id, None)

    def revoke_all(self) -> None:
        """Forget all tokens, as an operator who restarts a Keystone with new keys does."""
        self._tokens.clear()
