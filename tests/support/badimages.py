"""Right records of images, and what is wrong in bad ones; see tests.support.badrecords."""

from collections.abc import Callable
from typing import Any, Final

from remuda.images import buildlog
from remuda.model import build, image, lastuse, pointer, request, tally, upload
from remuda.model.ids import RequestId
from remuda.model.image import BuildId, UploadId
from remuda.store import paths

PROVIDER: Final = "here"
NEIGHBOUR: Final = "there"
NOW_S: Final = 10_000.0
BUILD: Final = BuildId("debian", 12)
UPLOAD: Final = UploadId(BuildId("debian", 13), "0123456789ab")
#: Of a builder.
ASKING: Final = RequestId("900-0000000002")
#: Each record has a path that is not above another's: tests make them one by one.
IMAGE: Final = "ubuntu"

DOCS: Final[dict[str, dict[str, Any]]] = {
    "image": {
        "schema": 1,
        "last_build": 12,
        "wanted": {"who": "ada", "why": "now", "at_s": NOW_S},
        "wanted_above": 11,
        "paused": {"who": "ada", "why": "no", "at_s": NOW_S},
    },
    "build": {
        "schema": 1,
        "state": "building",
        "why": "schedule",
        "requested_s": NOW_S,
        "since_s": NOW_S,
        "fingerprint": "f00d",
        "group": [PROVIDER, NEIGHBOUR],
        "provider": PROVIDER,
        "place": "0123456789ab",
        "owner": "me",
        "cannot_sign": ["other"],
        "no_room": ["third"],
        "attempt": 1,
        "asked_by_s": NOW_S,
        "retry_s": NOW_S,
        "parent": "base/3",
        "base": {"id": "7f3c", "name": "Debian 12", "hash": "sha512:00"},
        "request": "200-0000000001",
        "node": "3000000001",
        "captured": {
            "node": "3000000001",
            "provider": PROVIDER,
            "pool": "main",
            "label": "small",
            "requestor": "ada",
            "token": "f00d",
        },
        "file": {
            "sha256": "0f" * 32,
            "sha512": "0f" * 64,
            "size_bytes": 1024,
            "virtual_bytes": 2048,
            "disk_format": "qcow2",
        },
        "login_key": f"ssh-ed25519 {'A' * 68}",
        "quieted_s": NOW_S,
        "cloud_name": "remuda.debian.12",
        "snapshot": "7f3d",
        "inventory": "cafe",
        "origin": "base/2",
        "since_full": 2,
        "same_as": 11,
        "renewed_s": NOW_S,
        "statement": "0f" * 32,
        "identity": {"machine-id": "beef"},
        "started_s": NOW_S,
        "ended_s": None,
        "failure": {"step": "packages", "blame": "recipe", "message": "mirror down"},
        "revoked": {"who": "ada", "why": "CVE", "at_s": NOW_S, "inherited": "base/3"},
        "unwanted": {"who": "ada", "why": "old", "at_s": NOW_S},
    },
    "upload": {
        "schema": 1,
        "state": "usable",
        "since_s": NOW_S,
        "method": "carry",
        "attempt": 1,
        "spoiled": 2,
        "source": "ba9876543210",
        "owner": None,
        "asked_by_s": NOW_S,
        "retry_s": 0.0,
        "cloud_image": "7f3d",
        "trying": NEIGHBOUR,
        "size_bytes": 2**31,
        "sha256": "00ff",
        "os_hash": "sha512:00",
        "carried_sha512": "0f" * 64,
        "min_disk_gib": 10,
        "verdicts": {
            PROVIDER: {
                "verdict": "passed",
                "failures": 1,
                "hosts": ["compute-7"],
                "why": "no login",
                "at_s": NOW_S,
                "retry_s": 0.0,
                "spoiled": 0,
                "times": {
                    "boot_s": 12.5,
                    "checks": [{"name": "disk", "seconds": 0.5}],
                    "offline": [{"name": "cache", "seconds": 3.1}],
                },
            }
        },
        "failure": {"step": "carry", "blame": "cloud", "message": "reset"},
    },
    "pointer": {
        "schema": 1,
        "place": "0123456789ab",
        "current": 12,
        "previous": 11,
        "canary": 13,
        "canary_trial": {
            "share": 0.1,
            "since_s": NOW_S,
            "ok_before": 7,
            "failed_before": 1,
            "own": {"launches": {"small": {"ok": 1, "failed": 0}}, "jobs": {}},
        },
        "pinned": {"build": 11, "who": "ada", "why": "x", "at_s": NOW_S, "until_s": NOW_S},
        "withdrawn": {"10": {"who": "ada", "why": "bad", "at_s": NOW_S}},
        "generation": 7,
        "moves": [{"kind": "promote", "from": 11, "to": 12, "who": "a", "why": "b", "at_s": NOW_S}],
    },
    "tally": {
        "schema": 1,
        "builds": {
            "12": {
                "launches": {"small": {"ok": 40, "failed": 1}},
                "jobs": {"small": {"ok": 30, "failed": 3}},
                "fetched_setups": {"small": {"count": 40, "bytes": 7 * 10**8}},
                "fetched_jobs": {"small": {"count": 3, "bytes": 9 * 10**6}},
            }
        },
    },
    "plain tally": {
        "schema": 1,
        "builds": {
            "1": {
                "launches": {"small": {"ok": 9, "failed": 0}},
                "jobs": {},
                "fetched_setups": {"small": {"count": 9, "bytes": 3 * 10**9}},
            }
        },
    },
    "last use": {"schema": 1, "at_s": NOW_S, "provider": PROVIDER, "ttl_s": 86_400.0},
    "image log": {
        "schema": 1,
        "writer": "me-1",
        "step": "packages",
        "since_s": NOW_S,
        "steps": [
            {"name": "files", "at": 0, "since_s": NOW_S - 5, "seconds": 5.0, "ok": True},
            {"name": "packages", "at": 9, "since_s": NOW_S, "seconds": None, "ok": None},
        ],
        "steps_dropped": 0,
        "bytes": 12,
        "bytes_dropped": 0,
        "ended_s": NOW_S,
    },
    "builder's request": {
        "node_types": ["prove/debian"],
        "state": "requested",
        "state_time": NOW_S,
        "created_time": NOW_S,
        "requestor": "builder/debian",
        "requestor_data": None,
        "provider": PROVIDER,
        "relative_priority": 0,
        "event_id": None,
        "nodes": [],
        "declined_by": [],
        "reuse": False,
        "remuda_image": {
            "use": "prove",
            "build": "debian/12",
            "place": "0123456789ab",
            "login_key": f"ssh-ed25519 {'A' * 68}",
        },
    },
}

PLACES: Final[dict[str, str]] = {
    "image": paths.image(IMAGE),
    "build": paths.build(BUILD),
    "upload": paths.upload(UPLOAD),
    "pointer": paths.pointer(BUILD.image, PROVIDER),
    "tally": paths.tally(BUILD.image, PROVIDER),
    "plain tally": paths.plain_tally(PROVIDER),
    "last use": paths.last_use(BUILD.image),
    "image log": paths.image_log(BUILD),
    "builder's request": paths.request(ASKING),
}

DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    "image": lambda raw: image.decode_image(IMAGE, raw),
    "build": lambda raw: build.decode_build(BUILD, raw),
    "upload": lambda raw: upload.decode_upload(UPLOAD, raw),
    "pointer": lambda raw: pointer.decode_pointer(BUILD.image, PROVIDER, raw),
    "tally": lambda raw: tally.decode_tally(BUILD.image, PROVIDER, raw),
    "plain tally": lambda raw: tally.decode_tally(tally.PLAIN, PROVIDER, raw),
    "last use": lambda raw: lastuse.decode_last_use(BUILD.image, raw),
    "image log": lambda raw: buildlog.decode_progress(BUILD, raw),
    "builder's request": lambda raw: request.decode(ASKING, raw),
}

NO_NUMBERS: Final = (float("nan"), float("inf"), int("9" * 400), "22/tcp", True, [], {})
NO_TEXTS: Final = (7, None, [], {}, "\ud800", "x" * 100_000)

#: Kind, fields, and values that they must not have.
SEEN: Final[tuple[tuple[str, str, tuple[Any, ...]], ...]] = (
    ("image", "last_build wanted_above wanted.at_s", (*NO_NUMBERS, -1, 10**6)),
    ("image", "wanted paused", (7, "x", [], {}, {"who": 7})),
    ("build", "requested_s since_s attempt asked_by_s retry_s started_s", NO_NUMBERS),
    ("build", "owner request node provider cloud_name snapshot", NO_TEXTS),
    ("build", "quieted_s", NO_NUMBERS),
    ("build", "captured", (7, "x", [], {}, {"node": 7})),
    ("build", "captured.node captured.token captured.pool captured.label", (*NO_TEXTS, "")),
    ("build", "file", (7, "x", [], {}, {"sha256": "0f" * 32})),
    ("build", "file.sha256 file.sha512", (*NO_TEXTS, "", "0F" * 32, "0f" * 33, "0f" * 65)),
    ("build", "file.disk_format", (*NO_TEXTS, "", "../x", "qcow 2")),
    ("build", "file.size_bytes file.virtual_bytes", (*NO_NUMBERS, -1, None)),
    ("build", "login_key", (*NO_TEXTS, "ssh-rsa AAAA", "x\ny")),
    ("build", "statement", (*NO_TEXTS[:1], *NO_TEXTS[2:], "", "0F" * 32, "0f" * 33)),
    ("build", "parent", (*NO_TEXTS, "x", "x/0", "../1", "a/b/1", "x/1234567")),
    ("build", "cannot_sign no_room", (7, "x", [7], {}, [""], ["x"] * 1000)),
    ("build", "group base identity failure revoked", (7, "x", [7], {"id": "../x"})),
    ("upload", "since_s attempt size_bytes min_disk_gib", NO_NUMBERS),
    ("upload", "source cloud_image owner trying", (*NO_TEXTS, "../x", "0123456789AB")),
    ("upload", "carried_sha512", (*NO_TEXTS[:1], *NO_TEXTS[2:], "", "00ff", "0F" * 64, "0f" * 65)),
    ("upload", "verdicts.here.spoiled", (*NO_NUMBERS, -1)),
    ("upload", "verdicts verdicts.here failure method", (7, "x", [7], {"x": 7})),
    ("upload", "verdicts.here.verdict verdicts.here.hosts", (7, "x", [7], None)),
    ("upload", "verdicts.here.times.offline", (7, "x", [7], {"x": 7}, [{"seconds": -1}])),
    ("pointer", "current previous canary pinned.build", (*NO_NUMBERS, 0, -1, 10**6)),
    ("pointer", "withdrawn", (7, [], {"x": {}}, {"0": {}}, {"9" * 5000: {}}, {"1": 7})),
    ("pointer", "moves", (7, "x", [7], [{}] * 50, [{"kind": "x"}])),
    ("pointer", "canary_trial", (7, "x", [], {}, {"share": 0.1})),
    ("pointer", "canary_trial.share canary_trial.since_s", (*NO_NUMBERS, -1, None)),
    ("pointer", "canary_trial.own canary_trial.own.launches", (7, "x", [7], {"small": 7})),
    ("pointer", "canary_trial.ok_before canary_trial.failed_before", (*NO_NUMBERS, -1)),
    ("tally", "builds", (7, [], {"x": {}}, {"0": {}}, {"9" * 5000: {}}, {"1": 7})),
    ("tally", "builds.12.launches builds.12.jobs", (7, "x", [7], {"small": 7})),
    ("tally", "builds.12.jobs.small.ok builds.12.jobs.small.failed", (*NO_NUMBERS, -1)),
    ("tally", "builds.12.fetched_setups builds.12.fetched_jobs", (7, "x", [7], {"small": 7})),
    ("tally", "builds.12.fetched_jobs.small.count", (*NO_NUMBERS, -1, 101)),
    ("tally", "builds.12.fetched_jobs.small.bytes", (*NO_NUMBERS, -1, 2**53)),
    ("plain tally", "builds", (7, [], {"x": {}}, {"0": {}}, {"1": 7})),
    ("plain tally", "builds.1.fetched_setups.small.bytes", (*NO_NUMBERS, -1, 2**53)),
    ("last use", "at_s ttl_s", (*NO_NUMBERS, -1)),
    ("last use", "provider", NO_TEXTS),
    ("image log", "bytes bytes_dropped steps_dropped ended_s", (*NO_NUMBERS, -1)),
    ("image log", "steps.at steps.since_s steps.seconds steps.ok", (*NO_NUMBERS, -1, "x")),
    ("image log", "writer steps.name steps step", (*NO_TEXTS, [7], [{}] * 500)),
    ("request", "remuda_image", (7, "x", [], {}, {"use": "prove"}, {"use": "boot"}, {"use": [1]})),
    ("builder's request", "remuda_image.use", (*NO_TEXTS, "MAKE", "make/", "prove\0")),
    ("builder's request", "remuda_image.build", (*NO_TEXTS, *NO_NUMBERS, "x/../12", "x/0", "/1")),
    ("builder's request", "remuda_image.place", (*NO_TEXTS, *NO_NUMBERS, "..", "0123456789AB")),
    ("builder's request", "remuda_image.login_key", (*NO_TEXTS, "ssh-rsa AAAA", "x\ny")),
    ("pointer", "place", (*NO_TEXTS, "..", "0123456789abc")),
)
