"""Which keys of people a held machine opens to: as its wishes say, each answered once.

A wish that is new is answered with its keys on the machine, or with the reason; one that is taken
back has its keys taken off. Whoever can write the node's record can wish: that the machine is held
is what our own record says.
"""

import re
from typing import Final

from launcher.guest.actions import FetchKeys, NoteKeys, SetKeys
from launcher.hold.limits import stranger
from launcher.node.view import NodeView
from launcher.policy import Policy
from remuda.model.hold import Hold, HoldKey
from remuda.model.holdwish import HOLD_KEY, KEYS_MAX, KeyWish, wish_of
from remuda.model.node import Node
from remuda.model.publickey import PublicKey, PublicKeyError, parse_key
from remuda.runtime.now import Now

#: What useradd takes by default; it is an argument of a command.
_ACCOUNT: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)

KeyAction = SetKeys | FetchKeys | NoteKeys


def keep_keys(
    policy: Policy, view: NodeView, hold: Hold | None, node: Node, now: Now
) -> KeyAction | None:
    """Return the next step of what is wished of keys, or None: all is as it is wished.

    The node is held.
    """
    if hold is None or not hold.begun:
        return None
    if view.keys.token is not None:
        return NoteKeys(node=view.id, token=view.keys.token, keys=view.keys.tried)
    wish = wish_of(node)
    if wish is None and node.doc.get(HOLD_KEY) is not None:
        return None  # nobody can tell what it wishes
    wishes = () if wish is None else wish.keys
    answered = {one.token for one in hold.keys}
    new = next((one for one in wishes if one.token not in answered), None)
    wished = {one.token for one in wishes}
    words = _words_left(view, hold, wished)
    if words is not None or new is None:
        return words or _taken_back(view, hold, wished)
    if why := stranger(policy, hold, node, new.by):
        return _refused(policy, view, new, why, now)
    room = KEYS_MAX - len(hold.keys) - (len(wished - answered) - 1)
    return _answer(policy, view, hold, new, room=room, now=now)


def keys_left(view: NodeView, hold: Hold | None) -> SetKeys | NoteKeys | None:
    """Return what takes keys off a machine that lives on after its hold, or None.

    It is to be deleted, and its cloud has not done so: whoever could log in could go on for hours.
    That is tried once, for the deletion is what counts.
    """
    if hold is None or view.keys.given_up:
        return None
    if view.keys.token is not None:
        return NoteKeys(node=view.id, token=view.keys.token, keys=view.keys.tried)
    there = (one for one in hold.keys if one.refused is None)
    one = next(there, None)
    return None if one is None else SetKeys(node=view.id, token=one.token, account=one.account)


def _answer(
    policy: Policy, view: NodeView, hold: Hold, wish: KeyWish, *, room: int, now: Now
) -> KeyAction:
    account = _account(policy, view, wish)
    found = _found(policy, view, wish)
    if isinstance(found, FetchKeys):
        return found
    if not isinstance(found, str) and len(found) > room:
        found = f"a hold has {KEYS_MAX} keys at most"
    until_s = _until_s(policy, hold, now) if wish.certify else None
    if wish.certify and until_s is None:
        found = "the launcher's configuration has no holds: certificates:"
    if not isinstance(found, str) and not _ACCOUNT.fullmatch(account):
        found = "that is no name of an account"
    if isinstance(found, str):
        return _refused(policy, view, wish, found, now)
    name = wish.developer or found[0].comment or wish.by
    return SetKeys(
        node=view.id,
        token=wish.token,
        account=account,
        keys=found,
        name=name,
        certify_until_s=until_s,
    )


def _refused(policy: Policy, view: NodeView, wish: KeyWish, why: str, now: Now) -> NoteKeys:
    """Return what says why the keys of a wish are not there."""
    refused = HoldKey(
        token=wish.token,
        fingerprint="",
        name=wish.developer or "",
        account=_account(policy, view, wish),
        at_s=round(now.wall_s, 3),
        refused=why,
    )
    return NoteKeys(node=view.id, token=wish.token, keys=(refused,))


def _account(policy: Policy, view: NodeView, wish: KeyWish) -> str:
    making = policy.making.get(view.key)
    return wish.account or ("root" if making is None else making.username)


def _until_s(policy: Policy, hold: Hold, now: Now) -> float | None:
    """Return when a certificate ends that is made now; None: none are made."""
    made = policy.holds.certificates
    return None if made is None else min(now.wall_s + made.most, hold.ends_s or now.wall_s)


def _found(
    policy: Policy, view: NodeView, wish: KeyWish
) -> tuple[PublicKey, ...] | str | FetchKeys:
    """Return the keys of a wish, why there are none, or what finds out."""
    if wish.line is not None:
        try:
            return (parse_key(wish.line),)
        except PublicKeyError as error:
            return f"what was given {error}"
    keys = policy.developers.get(wish.developer or "")
    if keys is None:
        return "the launcher's configuration has no such name in developers"
    if not isinstance(keys, str):
        return keys
    fetched = view.keys.fetched.get(keys)
    return FetchKeys(node=view.id, url=keys) if fetched is None else fetched


def _words_left(view: NodeView, hold: Hold, wished: set[str]) -> NoteKeys | None:
    """Return what forgets a refusal of what nobody wishes any more: it takes a key's place."""
    for one in hold.keys:
        if one.refused is not None and one.token not in wished:
            return NoteKeys(node=view.id, token=one.token, keys=())
    return None


def _taken_back(view: NodeView, hold: Hold, wished: set[str]) -> KeyAction | None:
    """Return what takes keys off that nobody wishes any more."""
    for one in hold.keys:
        if one.token not in wished:
            return SetKeys(node=view.id, token=one.token, account=one.account)
    return None
