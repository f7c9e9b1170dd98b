"""Right records of what providers report to people, and what may be wrong in them.

A part of tests/support/badrecords.py.
"""

from collections.abc import Callable
from typing import Any, Final

from remuda.model import capsule, failedrequest, status
from remuda.model.ids import NodeId, RequestId
from remuda.store import paths

NEIGHBOUR: Final = "there"
NODE: Final = NodeId("3000000001")
REQUEST: Final = RequestId("200-0000000001")
NOW_S: Final = 10_000.0
_FAILED: Final = f"{REQUEST}.0000000000"

DOCS: Final[dict[str, dict[str, Any]]] = {
    "verdict": {
        "schema": 1,
        "provider": NEIGHBOUR,
        "ruling": "waiting",
        "reason": "the pool is full",
        "numbers": {"cores_used": 96, "cores_max": 96},
        "eta_s": 30.0,
        "at_s": NOW_S,
    },
    "failure": {
        "schema": 1,
        "node": NODE,
        "label": "small",
        "pool": "main",
        "result": "error.ssh",
        "why": "no",
        "at_s": NOW_S,
        "server": "7f3c",
        "fault": "No valid host",
        "console": "Kernel panic",
        "transcript": [
            {"step": "login", "name": "login", "seconds": 0.5, "ok": False, "output": "x"}
        ],
    },
    "capsule": {
        "schema": 1,
        "kind": "job",
        "node": NODE,
        "label": "small",
        "pool": "main",
        "result": "job.failed",
        "why": "2 tests failed",
        "at_s": NOW_S,
        "host": "9f",
        "configuration": "0123456789ab",
        "requestor": "zuul",
        "job": {"job": "unit", "pipeline": "check"},
        "moments": [{"name": "planned", "at_s": NOW_S, "seconds": 1.5}],
        "logs": {"journal": "the end"},
        "untold": "no login",
        "kept": [{"store": "swift", "place": "c:x/y", "size_bytes": 10, "why": "away"}],
        "token": "f00d",
        "transcript": [],
    },
    "failed request": {
        "schema": 1,
        "at_s": NOW_S,
        "provider": NEIGHBOUR,
        "labels": {"small": 2},
        "requestor": "zuul",
        "job": {"job": "unit", "pipeline": "check"},
        "created_s": NOW_S,
        "reasons": {NEIGHBOUR: "too large"},
    },
}

PLACES: Final[dict[str, str]] = {
    "verdict": paths.verdict(NEIGHBOUR, REQUEST),
    "failure": paths.failure(NEIGHBOUR, NODE),
    "capsule": paths.capsule(NEIGHBOUR, NODE),
    "failed request": f"{paths.FAILED_REQUESTS}/{_FAILED}",
}

DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    "verdict": lambda raw: status.decode_verdict(NEIGHBOUR, raw),
    "failure": lambda raw: capsule.decode_capsule(NODE, raw),
    "capsule": lambda raw: capsule.decode_capsule(NODE, raw),
    "failed request": lambda raw: failedrequest.decode_failed(_FAILED, raw),
}

_NO_NUMBERS: Final = (float("nan"), float("inf"), float("-inf"), int("9" * 400), "x", True, [], {})
_NO_TEXTS: Final = (7, None, [], {}, "\ud800", "x" * 100_000)
_NO_SCHEMAS: Final = (None, 2, "1", True, [])

#: Kind, fields, values.
SEEN: Final[tuple[tuple[str, str, tuple[Any, ...]], ...]] = (
    ("verdict", "schema", _NO_SCHEMAS),
    ("failure", "schema", _NO_SCHEMAS),
    ("failed request", "schema", _NO_SCHEMAS),
    ("capsule", "schema", _NO_SCHEMAS),
    ("capsule", "at_s moments.at_s moments.seconds kept.size_bytes kept.tries", _NO_NUMBERS),
    (
        "capsule",
        "kind host configuration requestor job untold token kept.store kept.why kept.place",
        _NO_TEXTS,
    ),
    ("capsule", "kept.region", _NO_TEXTS),
    ("capsule", "moments kept", (None, 7, "x", [None], [7], [{}] * 2000)),
    ("capsule", "missing", (7, {}, "x", [7], ["\ud800"], ["x"] * 2000)),
    ("capsule", "logs job", (None, [], 7, "x", {"\ud800": {}})),
    ("verdict", "at_s eta_s", _NO_NUMBERS),
    ("verdict", "numbers ruling reason", (None, [], 7, "\ud800", {"\ud800": "\ud800"})),
    ("failure", "at_s transcript.seconds", _NO_NUMBERS),
    (
        "failure",
        "console fault why result node transcript.name transcript.output request",
        _NO_TEXTS,
    ),
    ("failure", "transcript", (None, 7, "x", [None], [7], [{}] * 2000)),
    ("failed request", "at_s created_s labels.small", _NO_NUMBERS),
    ("failed request", "provider requestor job job.job reasons.there", _NO_TEXTS),
    ("failed request", "labels reasons", (None, [], 7, {"\ud800": 1}, {"a" * 300: 1})),
    ("failed request", "labels", ({str(one): 1 for one in range(100)}, {"small": 251})),
)
