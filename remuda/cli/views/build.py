"""One build of an image: where from, who wanted it, where it is, what was found, who uses it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from remuda.cli.output import Sheet, age
from remuda.cli.views.images import unreadable_notes
from remuda.images import references
from remuda.images.buildlog import LogStep, Progress
from remuda.images.catalogue import Catalogue
from remuda.images.comparison import Comparison
from remuda.images.references import Reference
from remuda.model.build import Build, Mishap, wanted_by
from remuda.model.builtfile import BuiltFile, file_doc
from remuda.model.capture import Captured
from remuda.model.image import UploadId, Word
from remuda.model.upload import Trial, TrialTimes, Upload

#: Nodes of a build may be many.
_REFERENCES_MAX = 20
#: Clouds hide the names of hosts behind hashes, of which so much tells one from another.
_HOST_CHARS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is known of a build beside the records of images.

    Attributes:
        progress: How far it has come, or None if it has no log.
        compared: What is in it, compared with the build before.
        waits: Why something of it waits, as builders say it, by name.
    """

    progress: Progress | None
    compared: Comparison
    waits: Mapping[str, str]


def build_sheets(
    seen: Catalogue, build: Build, beside: Beside, *, now_s: float
) -> tuple[Sheet, ...]:
    """Return a build as tables: its record, its uploads, its verdicts, its users."""
    found = references.index(seen.library.holders())
    uploads = seen.uploads.get(build.id, {})
    users = [
        (upload.id.place, one) for upload in uploads.values() for one in found.get(upload.id, ())
    ]
    return (
        _record(seen, build, beside, now_s),
        _uploads(uploads.values(), found, now_s),
        _trials(uploads.values(), now_s),
        _users(users, unreadable_notes(seen)),
    )


def _record(seen: Catalogue, build: Build, beside: Beside, now_s: float) -> Sheet:
    facts = [
        ("state", f"{build.state}, for {age(now_s - build.since_s)}"),
        ("why", _why(seen, build)),
        ("providers", ", ".join(build.group) or "-"),
        ("made in", build.provider or "-"),
        ("made by", build.owner or "-"),
        ("from", _from(build)),
        ("captured of", "-" if build.captured is None else build.captured.said),
        ("file", _file(build.file)),
        ("same as", "-" if build.same_as is None else f"build {build.same_as}"),
        ("found the same", _renewed(build, now_s)),
        ("recipe", build.fingerprint or "-"),
        ("requested", f"{age(now_s - build.requested_s)} ago"),
        ("took", _took(build, now_s)),
        ("machine", _machine(build)),
        ("attempts lost", str(build.attempt)),
        ("failure", _failure(build.mishap)),
        ("revoked", _revoked(build)),
        ("deleted", _word(build.unwanted)),
        ("contents", beside.compared.text),
        ("statement", build.statement or "-"),
        ("steps", _steps(beside.progress)),
        *(("waits", f"{name}: {why}") for name, why in beside.waits.items()),
    ]
    kept = [(name, text) for name, text in facts if text and text != "-"]
    return Sheet(
        columns=("FACT", "VALUE"),
        rows=kept,
        data=_record_json(seen, build, beside),
        title=f"build {build.id}",
    )


def _record_json(seen: Catalogue, build: Build, beside: Beside) -> dict[str, Any]:
    progress = beside.progress
    return {
        "build": str(build.id),
        "state": str(build.state),
        "changed_at_s": build.since_s or None,
        "why": str(build.why),
        "wanted": _word_json(_wanted(seen, build)),
        "providers": list(build.group),
        "provider": build.provider,
        "place": build.place,
        "owner": build.owner,
        "parent": None if build.parent is None else str(build.parent),
        "base": None
        if build.base is None
        else {"id": build.base.id, "name": build.base.name, "hash": build.base.hash},
        "captured": _captured_json(build.captured),
        "file": file_doc(build.file),
        "fingerprint": build.fingerprint,
        "requested_at_s": build.requested_s or None,
        "started_at_s": build.started_s or None,
        "ended_at_s": build.ended_s or None,
        "attempt": build.attempt,
        "request": build.request,
        "node": build.node,
        "snapshot": build.snapshot,
        "inventory": build.inventory,
        "statement": build.statement,
        "contents": beside.compared.text,
        "same_as": build.same_as,
        "renewed_at_s": build.renewed_s,
        "since_full": build.since_full,
        "waits": [{"name": name, "why": why} for name, why in beside.waits.items()],
        "failure": _failure_json(build.mishap),
        "revoked": None
        if build.revoked is None
        else {
            **(_word_json(build.revoked.word) or {}),
            "inherited": build.revoked.inherited and str(build.revoked.inherited),
        },
        "unwanted": _word_json(build.unwanted),
        "steps": [] if progress is None else [step_json(one) for one in progress.steps],
    }


def step_json(step: LogStep) -> dict[str, object]:
    """Return a step with the stable keys of docs/cli.md."""
    return {
        "name": step.name,
        "began_at_s": step.since_s or None,
        "seconds": step.seconds,
        "ok": step.ok,
    }


def _wanted(seen: Catalogue, build: Build) -> Word | None:
    """Return whose command it was made by, as far as that is still on record."""
    stored = seen.library.images.get(build.id.image)
    return None if stored is None else wanted_by(stored.value, build)


def _captured_json(captured: Captured | None) -> dict[str, str] | None:
    if captured is None:
        return None
    return {
        "node": captured.node,
        "provider": captured.provider,
        "pool": captured.pool,
        "label": captured.label,
        "requestor": captured.requestor,
    }


def _why(seen: Catalogue, build: Build) -> str:
    wanted = _wanted(seen, build)
    return str(build.why) if wanted is None else f"{build.why} of {_word(wanted)}"


def _from(build: Build) -> str:
    if build.parent is not None:
        again = f", {build.since_full} in a row" if build.since_full else ""
        return f"build {build.parent}{again}"
    if build.base is None:
        return "-"
    named = f"{build.base.name} ({build.base.id})" if build.base.name else build.base.id
    return f"{named}, {build.base.hash}" if build.base.hash else named


def _file(file: BuiltFile | None) -> str:
    if file is None:
        return "-"
    size = f"{file.size_bytes / 1024**2:.1f} MiB"
    return f"{file.disk_format}, {size}, sha256 {file.sha256}"


def _renewed(build: Build, now_s: float) -> str:
    return "-" if build.renewed_s is None else f"{age(now_s - build.renewed_s)} ago"


def _took(build: Build, now_s: float) -> str:
    if build.started_s is None:
        return "-"
    ended_s = now_s if build.ended_s is None else build.ended_s
    return age(ended_s - build.started_s)


def _machine(build: Build) -> str:
    some = ("request", build.request), ("node", build.node), ("snapshot", build.snapshot)
    return ", ".join(f"{name} {text}" for name, text in some if text)


def _steps(progress: Progress | None) -> str:
    if progress is None:
        return "-"
    done = len([one for one in progress.steps if one.seconds is not None])
    done += progress.steps_dropped
    now = progress.step
    return f"{done} done" if now is None else f"{done} done, now {now.name}"


def _revoked(build: Build) -> str:
    if build.revoked is None:
        return "-"
    above = build.revoked.inherited
    return _word(build.revoked.word) + ("" if above is None else f" (with build {above})")


def _word(word: Word | None) -> str:
    return "-" if word is None else f"{word.who}: {word.why}"


def _word_json(word: Word | None) -> dict[str, object] | None:
    return None if word is None else {"who": word.who, "why": word.why, "at_s": word.at_s or None}


def _failure(mishap: Mishap | None) -> str:
    return "-" if mishap is None else f"{mishap.step} ({mishap.blame}): {mishap.message}"


def _failure_json(mishap: Mishap | None) -> dict[str, object] | None:
    if mishap is None:
        return None
    return {"step": mishap.step, "blame": str(mishap.blame), "message": mishap.message}


def _uploads(uploads: Iterable[Upload], found: references.References, now_s: float) -> Sheet:
    rows, data, notes = [], [], []
    for one in uploads:
        users = len(found.get(one.id, ()))
        size = None if one.size_bytes is None else f"{one.size_bytes / 2**20:.0f} MiB"
        rows.append(
            (
                one.id.place,
                str(one.state),
                age(now_s - one.since_s),
                str(one.method or "-"),
                size or "-",
                str(users),
                one.cloud_image or "-",
            )
        )
        if one.mishap is not None:
            notes.append(f"in {one.id.place}: {_failure(one.mishap)}")
        data.append(_upload_json(one, users))
    columns = ("PLACE", "STATE", "SINCE", "METHOD", "SIZE", "USED BY", "CLOUD IMAGE")
    return Sheet(columns=columns, rows=rows, data=data, notes=notes, title="uploads")


def _upload_json(one: Upload, users: int) -> dict[str, object]:
    return {
        "place": one.id.place,
        "state": str(one.state),
        "changed_at_s": one.since_s or None,
        "method": one.method and str(one.method),
        "source": one.source,
        "owner": one.owner,
        "cloud_image": one.cloud_image,
        "size_bytes": one.size_bytes,
        "sha256": one.sha256,
        "os_hash": one.os_hash,
        "carried_sha512": one.carried_sha512,
        "trying": one.trying,
        "references": users,
        "failure": _failure_json(one.mishap),
    }


def _trials(uploads: Iterable[Upload], now_s: float) -> Sheet:
    rows, data, notes = [], [], []
    for upload in uploads:
        for provider, one in upload.trials.items():
            rows.append(_trial_row(provider, upload.id, one, now_s))
            if one.said:
                notes.append(f"{provider}: {one.said}")
            if one.times is not None and one.times.offline_said is not None:
                notes.append(f"{provider}: offline: {one.times.offline_said}")
            data.append(
                {
                    "provider": provider,
                    "place": upload.id.place,
                    "verdict": str(one.result),
                    "failures": one.failures,
                    "hosts": list(one.hosts),
                    "why": one.why,
                    "at_s": one.at_s or None,
                    "retry_at_s": one.retry_s or None,
                    "spoiled": one.spoiled,
                    "times": _times_json(one.times),
                }
            )
    columns = ("PROVIDER", "VERDICT", "PLACE", "WHEN", "FAILURES", "HOSTS")
    return Sheet(columns=columns, rows=rows, data=data, notes=notes, title="verdicts")


def _times_json(times: TrialTimes | None) -> dict[str, object] | None:
    if times is None:
        return None
    checks, offline = (
        [{"name": name, "seconds": seconds} for name, seconds in some]
        for some in (times.checks, times.offline)
    )
    return {"boot_s": times.boot_s, "checks": checks, "offline": offline}


def _trial_row(provider: str, upload_id: UploadId, one: Trial, now_s: float) -> tuple[str, ...]:
    return (
        provider,
        str(one.result),
        upload_id.place,
        f"{age(now_s - one.at_s)} ago" if one.at_s else "-",
        str(one.failures),
        ", ".join(host[:_HOST_CHARS] for host in one.hosts) or "-",
    )


def _users(users: Sequence[tuple[str, Reference]], notes: Sequence[str]) -> Sheet:
    rows = [(str(one.kind), place, one.by) for place, one in users[:_REFERENCES_MAX]]
    more = len(users) - len(rows)
    told = [f"and {more} more"] if more > 0 else []
    if not users:
        told = ["nothing uses it"]
    return Sheet(
        columns=("USED AS", "PLACE", "BY"),
        rows=rows,
        data=[{"kind": str(one.kind), "place": place, "by": one.by} for place, one in users],
        notes=[*told, *notes],
        title="references",
    )
