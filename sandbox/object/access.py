"""Who may do what with which container: its owner, whom its lists name, who has a signed URL.

Sources: Swift 2.38, ``common/middleware/keystoneauth.py``, ``acl.py`` and ``tempurl.py``.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from sandbox.clock import Clock
from sandbox.object.store import Bin, ObjectState
from sandbox.web.access_rules import allowed
from sandbox.web.call import NOBODY, Call
from sandbox.web.errors import ApiError, Service

READ: Final = "x-container-read"
WRITE: Final = "x-container-write"
URL_KEYS: Final = ("temp-url-key", "temp-url-key-2")
_OPERATORS: Final = frozenset({"admin", "member"})
_DIGESTS: Final = {64: hashlib.sha256, 128: hashlib.sha512}
_ROOT: Final = "/v1/"


class Doorman:
    """Lets calls through, or not."""

    def __init__(self, state: ObjectState, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def owns(self, call: Call) -> bool:
        """Say whether the account is the caller's."""
        who = call.who
        if not allowed(
            who.access_rules, Service.OBJECT, call.request.method, call.request.url.path
        ):
            return False
        mine = call.param("account") == f"AUTH_{who.project_id}" and who is not NOBODY
        return mine and not _OPERATORS.isdisjoint(who.roles)

    def owner_only(self, call: Call) -> None:
        """Let the owner through.

        Raises:
            ApiError: 401 or 403.
        """
        if not self.owns(call):
            raise refusal(call)

    def may(self, call: Call, bin_: Bin | None, *, write: bool, listing: bool = False) -> None:
        """Let through who may read, or write, in a container.

        Raises:
            ApiError: 401 or 403; also where there is no such container.
        """
        if "temp_url_sig" in call.request.query_params and not listing:
            self._signed(call, bin_)
            return
        if self.owns(call):
            return
        names = _names(bin_.meta.get(WRITE if write else READ, "")) if bin_ is not None else set()
        if not write and ".r:*" in names and (not listing or ".rlistings" in names):
            return
        who = call.who
        grants = {f"{who.project_id}:*", f"{who.project_id}:{who.user_id}", f"*:{who.user_id}"}
        if who is NOBODY or names.isdisjoint({*grants, "*:*"}):
            raise refusal(call)

    def _signed(self, call: Call, bin_: Bin | None) -> None:
        query = call.request.query_params
        account, container = call.param("account"), call.param("container")
        given, ends = query.get("temp_url_sig", ""), query.get("temp_url_expires", "")
        name = call.param("name")
        path = f"{_ROOT}{account}/{container}/{name}"
        prefix = query.get("temp_url_prefix")
        if prefix is not None:
            path = f"prefix:{_ROOT}{account}/{container}/{prefix}"
        digest = _DIGESTS.get(len(given))
        fresh = ends.isascii() and ends.isdigit() and int(ends) > self._clock.now_s()
        if digest is None or not fresh or not name.startswith(prefix or ""):
            raise _invalid()
        method = call.request.method
        methods = {method, "GET", "PUT", "POST"} if method == "HEAD" else {method}
        held = self._state.account(account).meta, bin_.meta if bin_ is not None else {}
        keys = {
            value
            for meta, kind in zip(held, ("account", "container"), strict=True)
            for which in URL_KEYS
            if (value := meta.get(f"x-{kind}-meta-{which}"))
        }
        made = [
            hmac.new(key.encode(), f"{each}\n{ends}\n{path}".encode(), digest).hexdigest()
            for key in keys
            for each in methods
        ]
        if not any(hmac.compare_digest(each, given) for each in made):
            raise _invalid()


def refusal(call: Call) -> ApiError:
    """Return 401 to those whom nobody knows, 403 to all others."""
    if call.who is NOBODY:
        return ApiError(
            401,
            "This server could not verify that you are authorized to access the document you"
            " requested.",
            headers={"WWW-Authenticate": 'Keystone uri="/identity/v3"'},
        )
    return ApiError(403, "Access was denied to this resource.")


def _invalid() -> ApiError:
    return ApiError(401, "Temp URL invalid")


def _names(text: str) -> set[str]:
    return {each.strip() for each in text.split(",") if each.strip()}
