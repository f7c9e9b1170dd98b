"""Right parts and records of holds, and what may be wrong in them.

A part of tests/support/badrecords.py.
"""

from collections.abc import Callable
from typing import Any, Final

from remuda.model import autohold
from remuda.store import paths

NOW_S: Final = 10_000.0
AUTOHOLD: Final = "a1b2c3"

#: In the record of a node.
WISH: Final[dict[str, Any]] = {
    "token": "f00d",
    "owner": "ada",
    "reason": "look into it",
    "at_s": NOW_S,
    "for_s": 3600.0,
    "job": "unit",
    "contender": "f__lock__0000000000",
    "extend": [{"token": "e1", "by": "ada", "for_s": 60.0, "at_s": NOW_S}],
    "keys": [
        {
            "token": "k1",
            "by": "ada",
            "at_s": NOW_S,
            "line": "ssh-ed25519 AAAA",
            "account": "zuul",
            "certify": True,
        }
    ],
    "snapshot": {"token": "s1", "share_with": "p1", "public": False, "for_s": 60.0},
}
#: In a launch.
HOLD: Final[dict[str, Any]] = {
    "owner": "ada",
    "reason": "look into it",
    "source": "asked",
    "for_s": 3600.0,
    "job": "unit",
    "proven": False,
    "asked_token": "f00d",
    "since_s": NOW_S,
    "ends_s": NOW_S + 3600,
    "latest_s": NOW_S + 7200,
    "bounded": "no hold is longer",
    "extended": [
        {"token": "e1", "by": "ada", "at_s": NOW_S, "ends_s": NOW_S + 60, "refused": "no"}
    ],
    "keys": [
        {
            "token": "k1",
            "fingerprint": "SHA256:x",
            "name": "ada",
            "account": "root",
            "at_s": NOW_S,
            "refused": "no",
            "certificate": "ssh-ed25519-cert-v01@openssh.com AAAA",
        }
    ],
    "warned_s": NOW_S,
    "seen_s": NOW_S,
    "logins": ["ada from 198.18.0.9"],
    "idle_since_s": NOW_S,
    "lost": "the cloud says: ERROR",
    "autohold": AUTOHOLD,
    "host_key": {
        "step": "kept",
        "at_s": NOW_S,
        "key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
        "why": "it does not answer",
        "given": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
    },
}

DOCS: Final[dict[str, dict[str, Any]]] = {
    "autohold": {
        "schema": 1,
        "owner": "ada",
        "reason": "flaky",
        "label": "small",
        "requestor": "ci-*",
        "job": "unit*",
        "count": 2,
        "for_s": 3600.0,
        "made_s": NOW_S,
        "until_s": NOW_S + 86_400,
        "fired": [{"node": "3000000001", "provider": "here", "at_s": NOW_S}],
        "keys": ["ada", "ssh-ed25519 AAAA"],
    },
}

PLACES: Final[dict[str, str]] = {"autohold": paths.autohold(AUTOHOLD)}

DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    "autohold": lambda raw: autohold.decode_autohold(AUTOHOLD, raw),
}

_NO_NUMBERS: Final = (float("nan"), float("inf"), int("9" * 400), "22/tcp", True, [], {})
_NO_TEXTS: Final = (7, None, [], {}, "\ud800", "x" * 100_000)
_NO_PARTS: Final = (7, "x", [], {}, {"token": 7})

#: Kind, fields, and values that they must not have.
SEEN: Final[tuple[tuple[str, str, tuple[Any, ...]], ...]] = (
    ("node", "remuda_hold", (*_NO_TEXTS, {"token": "../x"})),
    ("node", "remuda_hold.token remuda_hold.contender", (*_NO_TEXTS, "../x", "")),
    ("node", "remuda_hold.for_s remuda_hold.at_s", (*_NO_NUMBERS, -1, 1e12)),
    ("node", "remuda_hold.owner remuda_hold.reason remuda_hold.job", _NO_TEXTS),
    ("node", "remuda_hold.extend remuda_hold.keys", (7, "x", {}, [7], [{}], [{}] * 500)),
    ("node", "remuda_hold.snapshot", (*_NO_PARTS, {"token": "s", "public": "yes", "for_s": 9})),
    ("launch", "hold", _NO_PARTS),
    ("launch", "hold.owner hold.reason hold.job hold.refused hold.lost", _NO_TEXTS),
    ("launch", "hold.source", (*_NO_TEXTS, "me", "")),
    ("launch", "hold.for_s hold.ends_s hold.since_s", (*_NO_NUMBERS, None, -1)),
    ("launch", "hold.latest_s hold.warned_s hold.seen_s hold.idle_since_s", _NO_NUMBERS),
    ("launch", "hold.proven", (1, "yes", [])),
    ("launch", "hold.extended hold.keys", (7, "x", {}, [7], [{}], [{}] * 500)),
    ("node", "remuda_hold.keys", ([{"token": "k", "line": "x", "at_s": NOW_S, "account": 7}],)),
    ("node", "remuda_hold.keys", ([{"token": "k", "line": "x" * 9000, "at_s": NOW_S}],)),
    ("launch", "hold.keys", ([{"token": "k", "at_s": NOW_S, "certificate": ["x"]}],)),
    ("launch", "hold.logins", (7, "x", {}, [7], ["x"] * 500, ["x" * 500])),
    ("launch", "hold.host_key", (*_NO_PARTS, {"step": "made", "at_s": NOW_S})),
    ("launch", "hold.host_key.step hold.host_key.key", (*_NO_TEXTS, "ssh-rsa AAAA", "x\ny")),
    ("launch", "hold.host_key.given", _NO_TEXTS),
    ("launch", "hold.host_key.at_s", (*_NO_NUMBERS, None, -1)),
    ("launch", "hold.asked_token hold.autohold", (7, [], {}, "../x", "")),
    ("autohold", "count for_s until_s made_s", (*_NO_NUMBERS, -1, None)),
    ("autohold", "label requestor job", (7, [], {}, "", "\ud800", "*" * 20, "x" * 1000, "a\nb")),
    ("autohold", "fired", (7, "x", {}, [7], [{}], [{"node": "../x", "provider": "p"}])),
    ("autohold", "keys", (7, "x", {}, [7], ["x" * 9000], ["x"] * 500, ["x" * 300], [""], [" "])),
    ("autohold", "schema", (None, 2, "1", True, [])),
)
