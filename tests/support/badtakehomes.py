"""Right records of take-home images, and what may be wrong in them.

A part of tests/support/badrecords.py.
"""

from collections.abc import Callable
from typing import Any, Final

from remuda.model import takehome
from remuda.model.ids import NodeId
from remuda.store import paths

NOW_S: Final = 10_000.0
NODE: Final = NodeId("3000000007")
WISH: Final[dict[str, Any]] = {"token": "s1", "share_with": "p1", "public": False, "for_s": 60.0}
#: In a launch.
ANSWER: Final[dict[str, Any]] = {"wish": WISH, "begun": True, "refused": "no"}

DOCS: Final[dict[str, dict[str, Any]]] = {
    "take-home image": {
        "schema": 1,
        "state": "making",
        "wish": WISH,
        "provider": "here",
        "pool": "main",
        "label": "small",
        "requestor": "ci-7",
        "by": "ada",
        "reason": "red",
        "since_s": NOW_S,
        "owner": "me",
        "attempt": 1,
        "login_key": f"ssh-ed25519 {'A' * 68}",
        "server": "7f3c",
        "quieting_s": NOW_S,
        "quiet": True,
        "cloud_name": "remuda-hold-1",
        "asked_by_s": NOW_S,
        "place": "0123456789ab",
        "cloud_image": "7f3d",
        "size_bytes": 7,
        "min_disk_gib": 1,
        "flavor": "m1.small",
        "cloud": "north",
        "region": "one",
        "username": "debian",
        "shared": True,
        "trouble": "a bit",
        "ends_s": NOW_S,
        "more": {"token": "e1", "by": "ada", "at_s": NOW_S, "refused": "no"},
        "failure": "no",
    },
    "take-home end": {
        "schema": 1,
        "by": "ada",
        "at_s": NOW_S,
        "wants": "later",
        "token": "e1",
        "for_s": 60.0,
    },
}

PLACES: Final[dict[str, str]] = {
    "take-home image": paths.take_home(NODE),
    "take-home end": paths.take_home_end(NODE),
}

DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    "take-home image": lambda raw: takehome.decode_take_home(NODE, raw),
    "take-home end": lambda raw: takehome.decode_end_wish(NODE, raw),
}

_NO_NUMBERS: Final = (float("nan"), float("inf"), int("9" * 400), "22/tcp", True, [], {})
_NO_TEXTS: Final = (7, None, [], {}, "\ud800", "x" * 100_000)

#: Kind, fields, and values that they must not have.
SEEN: Final[tuple[tuple[str, str, tuple[Any, ...]], ...]] = (
    ("take-home image", "schema state", (None, 2, "1", True, [], "x")),
    ("take-home image", "wish", (7, "x", [], {}, None, {"token": 7})),
    ("take-home image", "wish.for_s since_s asked_by_s quieting_s ends_s attempt", _NO_NUMBERS),
    ("take-home image", "provider pool label", (*_NO_TEXTS, "")),
    ("take-home image", "owner server cloud_image place", (*_NO_TEXTS, "../x")),
    ("take-home image", "login_key", (*_NO_TEXTS, "ssh-rsa AAAA", "x\ny")),
    ("take-home image", "size_bytes min_disk_gib", (*_NO_NUMBERS, -1)),
    ("take-home image", "quiet shared", (1, "yes", [])),
    ("take-home image", "failure trouble by reason flavor cloud region username", _NO_TEXTS),
    ("take-home image", "more", (7, "x", [], {}, {"token": 7})),
    ("take-home image", "more.at_s", _NO_NUMBERS),
    ("take-home image", "more.by more.refused", _NO_TEXTS),
    ("take-home end", "schema at_s by for_s", (*_NO_NUMBERS, None)),
    ("take-home end", "token", (*_NO_TEXTS, "../x")),
    ("take-home end", "wants", (7, [], {}, "", "now", "soon")),
    ("launch", "take_home", (7, "x", [], {}, {"wish": 7}, {"wish": {"token": "x"}})),
    ("launch", "take_home.refused take_home.begun", _NO_TEXTS),
    ("launch", "opened", (7, [], {}, "../x")),
    ("request", "remuda_open", (7, "x", [], {}, {"node": 7}, {"node": "../x"})),
)
