"""Records as somebody who means ill, or well, may write them: right ones, with some values wrong.

Values that are wholly random hardly ever pass the first check of a decoder, so all begin as a
right record of their kind.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from remuda.model import claim, component, launch, node, permit, request, status
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.store import paths
from tests.support import badholds, badimages, badreports

PROVIDER: Final = "here"
NEIGHBOUR: Final = "there"
NODE: Final = NodeId("3000000001")
REQUEST: Final = RequestId("200-0000000001")
NOW_S: Final = 10_000.0

DIGITS: Final = "9" * 400
#: Stand for what json.dumps does not write, and are replaced in its text.
_MARKS: Final = {"@1e400": "1e400", "@-1e400": "-1e400", "@digits": "9" * 5000}

DOCS: Final[dict[str, dict[str, Any]]] = {
    "request": {
        "node_types": ["small"],
        "state": "requested",
        "state_time": NOW_S,
        "created_time": NOW_S,
        "requestor": "zuul",
        "requestor_data": {"job_name": "unit", "span_info": {"trace_id": 2**127}},
        "provider": None,
        "relative_priority": 0,
        "event_id": "e",
        "nodes": [],
        "declined_by": [],
        "remuda_reasons": {"there": "too large"},
        "reuse": True,
        "tenant_name": "t",
    },
    "node": {
        "state": "ready",
        "type": ["small"],
        "provider": PROVIDER,
        "pool": "main",
        "allocated_to": None,
        "state_time": NOW_S,
        "created_time": NOW_S,
        "hold_expiration": None,
        "external_id": "7f3c",
        "interface_ip": "198.18.0.1",
        "connection_port": 22,
        "ssh_port": 22,
        "username": "root",
        "host_keys": ["ssh-ed25519 AAAA"],
        "requestor": "zuul",
        "hold_job": "ada",
        "comment": "why",
        "user_data": {"remuda": {"kept": True}},
        "remuda_job": {"job": "unit", "pipeline": "check"},
        "remuda_capture": {
            "image": "debian",
            "token": "f00d",
            "contender": "f__lock__0000000000",
            "at_s": NOW_S,
        },
        "remuda_hold": badholds.WISH,
    },
    "launch": {
        "schema": 1,
        "pool": "main",
        "label": "small",
        "step": "done",
        "owner": "me",
        "planned_s": NOW_S - 10,
        "asked_by_s": NOW_S + 70,
        "cores": 1,
        "ram_mib": 512,
        "volume_gib": 0,
        "az": "az1",
        "for_request": None,
        "server": "7f3c",
        "active_s": NOW_S - 5,
        "proof_step": "connect",
        "proof_since_s": NOW_S - 5,
        "proof_words": "Connection refused",
        "host_keys": "inject",
        "host_key": "ssh-ed25519 AAAA",
        "image": "debian",
        "image_build": "debian/12",
        "image_place": "0123456789ab",
        "login_key": f"ssh-ed25519 {'A' * 68}",
        "floating_ip": None,
        "address": "198.18.0.1",
        "why": "because",
        "capture": {
            "image": "debian",
            "token": "f00d",
            "contender": "f__lock__0000000000",
            "at_s": NOW_S,
            "requestor": "ada",
            "refused": "no",
            "build": "debian/12",
        },
        "guest": {"login_key": f"ssh-ed25519 {'A' * 68}", "refused": "no"},
        "hold": badholds.HOLD,
    },
    "claim": {
        "owner": "me",
        "pool": "main",
        "contender": f"{paths.request_lock(REQUEST)}/x0000000000",
    },
    "status": {
        "schema": 1,
        "provider": NEIGHBOUR,
        "priority": 100,
        "trouble": None,
        "labels": {
            "small": {
                "ready": 1,
                "coming": 0,
                "room": 5,
                "boot_s": 30.0,
                "broken": None,
                "failures": 0,
            }
        },
        "pools": {"main": {"instances": 1, "instances_max": 10, "cores": 1, "cores_max": None}},
        "quota": {"cores": [1, 20]},
        "quota_seen_s": NOW_S,
        "config_error": None,
        "max_hold_age_s": 3600.0,
    },
    "pool": {
        "hostname": "h",
        "id": "h-PoolWorker.there-main-1",
        "kind": "pool",
        "model_api": 0,
        "name": "main",
        "paused": False,
        "priority": 100,
        "provider_name": NEIGHBOUR,
        "state": "running",
        "supported_labels": ["small"],
        "version": "1",
    },
    "replica": {
        "hostname": "h",
        "pid": 7,
        "version": "1",
        "started_s": NOW_S,
        "url": "http://127.0.0.1:1",
    },
    "permit": {"schema": 1, "servers": ["7f3c"], "until_s": NOW_S},
    **badreports.DOCS,
    **badimages.DOCS,
    **badholds.DOCS,
}

PLACES: Final[dict[str, str]] = {
    "request": paths.request(REQUEST),
    "node": paths.node(NODE),
    "launch": paths.launch(PROVIDER, NODE),
    "claim": paths.claim(PROVIDER, REQUEST),
    "status": paths.status(NEIGHBOUR),
    "pool": f"{paths.POOL_COMPONENTS}/there0000000001",
    "replica": f"{paths.replicas(NEIGHBOUR)}/there-1",
    "permit": paths.sweep_permit(PROVIDER),
    **badreports.PLACES,
    **badimages.PLACES,
    **badholds.PLACES,
}

DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    "request": lambda raw: request.decode(REQUEST, raw),
    "node": lambda raw: node.decode(NODE, raw),
    "launch": lambda raw: launch.decode(NODE, raw),
    "claim": lambda raw: claim.decode_claim(REQUEST, raw, directory=paths.request_lock(REQUEST)),
    "status": lambda raw: status.decode_status(NEIGHBOUR, raw),
    "pool": lambda raw: component.decode_pool("there0000000001", raw),
    "replica": lambda raw: component.decode_replica(ReplicaId("there-1"), raw),
    "permit": lambda raw: permit.decode_permit(PLACES["permit"], raw),
    **badreports.DECODERS,
    **badimages.DECODERS,
    **badholds.DECODERS,
}


@dataclass(frozen=True, slots=True)
class Bad:
    """A record of one kind with one field that is wrong."""

    kind: str
    field: str
    value: Any

    def __str__(self) -> str:
        """Return a short name for a test."""
        return f"{self.kind}.{self.field}={str(self.value)[:12]!a}"

    @property
    def raw(self) -> bytes:
        """The record."""
        return raw_of(changed(DOCS[self.kind], self.field, self.value))


def changed(doc: Mapping[str, Any], field: str, value: Any) -> dict[str, Any]:
    """Return a copy of *doc* with a field replaced; dots lead to inner ones."""
    key, _, rest = field.partition(".")
    inner = doc.get(key)
    if rest and isinstance(inner, list):
        return {**doc, key: [changed(one, rest, value) for one in inner]}
    return {**doc, key: changed(inner or {}, rest, value) if rest else value}


def raw_of(doc: Any) -> bytes:
    """Return JSON, and what Python takes for JSON."""
    text = json.dumps(doc)
    for mark, number in _MARKS.items():
        text = text.replace(f'"{mark}"', number)
    return text.encode()


def deep(levels: int, *, mapping: bool = False) -> Any:
    """Return lists in lists, or objects in objects."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value} if mapping else [value]
    return value


_NO_NUMBERS: Final = (
    float("nan"),
    float("inf"),
    float("-inf"),
    int(DIGITS),
    "22/tcp",
    True,
    [],
    {},
)
_NO_TEXTS: Final = (7, None, [], {}, "\ud800", "x" * 100_000)


def _each(kind: str, fields: str, values: tuple[Any, ...]) -> Iterator[Bad]:
    for field in fields.split():
        for value in values:
            yield Bad(kind, field, value)


#: What was seen to end launchers or commands, and its kind.
SEEN: Final = (
    *_each("request", "relative_priority state_time created_time", _NO_NUMBERS),
    *_each(
        "request", "node_types nodes declined_by", (*_NO_TEXTS, ["\ud800"], [None], ["a"] * 1500)
    ),
    *_each("request", "requestor provider tenant_name event_id", (*_NO_TEXTS, "r" * 240_000)),
    *_each("node", "state_time created_time hold_expiration connection_port", _NO_NUMBERS),
    *_each("node", "type allocated_to external_id interface_ip requestor comment", _NO_TEXTS),
    *_each("request", "requestor_data.job_name remuda_reasons.there build_id", _NO_TEXTS),
    *_each("request", "requestor_data remuda_reasons", (*_NO_TEXTS, {"\ud800": "\ud800"})),
    *_each("node", "remuda_job remuda_job.job user_data", _NO_TEXTS),
    *_each("node", "remuda_capture", (*_NO_TEXTS, {"image": "../x"})),
    *_each("node", "remuda_capture.image remuda_capture.contender", (*_NO_TEXTS, "../x")),
    *_each("launch", "capture guest", (7, "x", [], {}, {"image": 7})),
    *_each("launch", "capture.image capture.token capture.contender", (*_NO_TEXTS, "../x", "")),
    *_each("launch", "capture.build", (*_NO_TEXTS, "x/0", "../1")),
    *_each("launch", "capture.at_s", _NO_NUMBERS),
    *_each("launch", "guest.login_key", (*_NO_TEXTS, "ssh-rsa AAAA", "x\ny")),
    *_each("node", "state", ("init", "testing", "", 7, "\ud800")),
    *_each("launch", "planned_s asked_by_s cores ram_mib volume_gib", _NO_NUMBERS),
    *_each("launch", "setup_fetched", (*_NO_NUMBERS, -1)),
    *_each("launch", "active_s proof_since_s", (*_NO_NUMBERS, 1e300, -1.0)),
    *_each("launch", "proof_step proof_words", _NO_TEXTS),
    *_each(
        "launch",
        "owner server floating_ip for_request pool label az why host_keys address",
        _NO_TEXTS,
    ),
    *_each("launch", "login_key", (*_NO_TEXTS, "ssh-ed25519 AAAA", f"ssh-ed25519 {'A' * 68}\nx")),
    *_each("launch", "server floating_ip", ("../os-keypairs/NAME", "a/b", "", "..", "a" * 300)),
    *_each("launch", "schema", (None, 2, "1", True, 1.0, [])),
    *_each("status", "schema", (None, 2, "1", True, [])),
    *_each(
        "status",
        "priority labels.small.ready labels.small.boot_s quota_seen_s max_hold_age_s",
        _NO_NUMBERS,
    ),
    *_each("status", "labels.small.room labels.small.failures", (None, "many", float("nan"))),
    *_each(
        "status", "labels pools quota labels.small pools.main", (None, [], 7, "x", {"\ud800": {}})
    ),
    *_each("status", "quota.cores", ([], [1], [1, 2, 3], None, ["a", "b"], [float("nan"), 1])),
    *_each("status", "trouble config_error labels.small.broken", _NO_TEXTS),
    *_each("permit", "until_s", _NO_NUMBERS),
    *_each("permit", "servers schema", (*_NO_TEXTS, ["../x"], [7], ["\ud800"], ["a"] * 6000)),
    *_each("pool", "priority", _NO_NUMBERS),
    *_each("pool", "provider_name id name supported_labels hostname", _NO_TEXTS),
    *_each("replica", "pid started_s", _NO_NUMBERS),
    *_each("replica", "hostname version url", _NO_TEXTS),
    *_each("claim", "owner pool contender", (*_NO_TEXTS, "", "/nodepool/nodes/3000000002")),
    *(one for args in (*badreports.SEEN, *badimages.SEEN, *badholds.SEEN) for one in _each(*args)),
    *(
        Bad(kind, "foreign", value)
        for kind in DOCS
        for value in (
            "@1e400",
            "@-1e400",
            "@digits",
            float("nan"),
            deep(500),
            deep(500, mapping=True),
        )
    ),
)

_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        [
            int(DIGITS),
            -int(DIGITS),
            2**63,
            2**128,
            -1,
            "@1e400",
            "@digits",
            "",
            "\ud800",
            "a\udfffb",
        ]
    )
    | st.sampled_from(
        ["small", "main", "here", "there", "me", "ready", "init", "fulfilled", "done"]
    )
    | st.sampled_from(["../x", "/", "\0", "\x1b[2J", "\u202e", "x" * 2000])
    | st.text(max_size=8)
)
anything = st.recursive(
    _scalars | st.builds(deep, st.sampled_from([70, 400]), mapping=st.booleans()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "\ud800", "small", "ready"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def _leaves(doc: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in doc.items():
        yield f"{before}{key}"
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, Mapping):
            yield from _leaves(inner, f"{before}{key}.")


@st.composite
def bad_docs(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Return a right record of *kind* with up to three fields replaced or taken away."""
    doc = DOCS[kind]
    fields = st.sampled_from([*_leaves(doc), "foreign", "\ud800"])
    for field in draw(st.lists(fields, min_size=1, max_size=3, unique=True)):
        top = field.partition(".")[0]
        if draw(st.integers(0, 9)) == 0:
            doc = {key: value for key, value in doc.items() if key != top}
        elif isinstance(doc.get(top), list | dict) or "." not in field:
            try:
                doc = changed(doc, field, draw(anything))
            except (AttributeError, TypeError):
                continue  # something else stands there by now
    return doc


def bad_records(kind: str) -> st.SearchStrategy[bytes]:
    """Return the bytes of :func:`bad_docs`."""
    return bad_docs(kind).map(raw_of)


def readable(kind: str, raw: bytes) -> bool:
    """Whether a record decodes; nothing but CorruptRecordError may come of trying."""
    try:
        DECODERS[kind](raw)
    except CorruptRecordError:
        return False
    return True
