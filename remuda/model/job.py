"""Which job of a CI system a request or a node is for, as far as its requestor says.

What a requestor writes into ``requestor_data`` (of a request) and ``user_data`` (of a node) is its
own affair and may be any JSON. Zuul, Jenkins, and the variables of GitLab and Jenkins name their
jobs by a few usual keys; those are looked for, and everything else is left alone.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.model.fields import COUNT_MAX, one_line

#: Our own key in the record of an allocated node: its request is gone while it is in use.
JOB_KEY: Final = "remuda_job"
#: A name of a job, a project, a branch; longer ones are cut.
_CHARS_MAX: Final = 200
#: So many keys are looked at, in nested mappings down to a depth; honest ones have a dozen.
_KEYS_MAX: Final = 256
_DEPTH_MAX: Final = 3
#: For each field the keys that may have it, in small letters, the surest first.
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "job": ("job_name", "ci_job_name", "job", "build_id", "build_tag"),
    "pipeline": ("pipeline_name", "ci_pipeline_name", "pipeline", "pipeline_id", "ci_pipeline_id"),
    "project": ("project_name", "ci_project_path", "project_path", "project", "repository"),
    "change": (
        *("change", "change_number", "change_id", "merge_request", "merge_request_iid"),
        *("ci_merge_request_iid", "pull_request"),
    ),
    "ref": ("ref", "ref_name", "ci_commit_ref_name", "branch", "branch_name", "git_branch"),
}
_WANTED: Final = frozenset(key for keys in _KEYS.values() for key in keys)
#: Variables by which GitLab and Jenkins tell their jobs who they are.
_VARIABLES: Final = (
    *("CI_JOB_NAME", "CI_PIPELINE_ID", "CI_PROJECT_PATH", "CI_MERGE_REQUEST_IID"),
    *("CI_COMMIT_REF_NAME", "JOB_NAME", "BUILD_TAG", "CHANGE_ID", "BRANCH_NAME", "GIT_BRANCH"),
)
#: What stands for a whole mapping, such as GitLab's ``{"project": {"path_with_namespace": …}}``.
_NAMES: Final = ("name", "path_with_namespace", "full_name", "path", "number", "iid", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is known of a job; every field is a text of one bounded line, or None.

    Attributes:
        change: Of a code review: a change, a merge or pull request.
        ref: Branch or other name of what is tested.
    """

    job: str | None = None
    pipeline: str | None = None
    project: str | None = None
    change: str | None = None
    ref: str | None = None

    @property
    def text(self) -> str:
        """Everything on one line, such as ``unit (check, example.org/p, 1234)``."""
        rest = (self.pipeline, self.project, self.change, self.ref)
        told = ", ".join(one for one in rest if one is not None)
        if self.job is None:
            return told
        return f"{self.job} ({told})" if told else self.job

    def as_doc(self) -> dict[str, str]:
        """Return what is known, for a record; the pair of :func:`find_job`."""
        return {key: value for key, value in self.as_json().items() if value is not None}

    def as_json(self) -> dict[str, str | None]:
        """Return all fields with the stable keys of docs/cli.md."""
        return {name: getattr(self, name) for name in self.__slots__}


def job_of_request(doc: Mapping[str, Any]) -> Job | None:
    """Return whose request a record is; Jenkins writes ``build_id`` beside, not into, its data."""
    return find_job(doc.get("requestor_data"), {"build_id": doc.get("build_id")})


def job_of_node(doc: Mapping[str, Any]) -> Job | None:
    """Return whose node a record is: as its launcher wrote, else as its user did."""
    beside = {"build_id": doc.get("build_id")}
    return find_job(doc.get(JOB_KEY), doc.get("user_data"), beside)


def job_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what GitLab or Jenkins tell a job of itself, for the data of its requests."""
    told = ((name, plain_text(environment.get(name))) for name in _VARIABLES)
    return {name: value for name, value in told if value is not None}


def whose(requestor: str | None, job: Job | None) -> str:
    """Return who asks and for what, as people read it; empty if neither is known."""
    return ": ".join(one for one in (requestor, job and job.text) if one)


def find_job(*places: object) -> Job | None:
    """Return the job that any JSON tells of, or None if it tells of none."""
    told: dict[str, str] = {}
    for key, value in _entries(places):
        if key in _WANTED and key not in told and (text := _text(value)) is not None:
            told[key] = text
    if not told:
        return None
    return Job(**{field: _first(told, keys) for field, keys in _KEYS.items()})


def _entries(places: tuple[object, ...]) -> Iterator[tuple[str, object]]:
    """Yield keys and values, outer ones first, and no more than are worth looking at."""
    waiting = deque((one, 1) for one in places if isinstance(one, dict))
    left = _KEYS_MAX
    while waiting and left > 0:
        doc, depth = waiting.popleft()
        for key, value in list(doc.items())[:left]:
            left -= 1
            if isinstance(key, str):
                yield key.lower(), value
            if isinstance(value, dict) and depth < _DEPTH_MAX:
                waiting.append((value, depth + 1))


def _first(told: Mapping[str, str], keys: tuple[str, ...]) -> str | None:
    return next((told[key] for key in keys if key in told), None)


def _text(value: object) -> str | None:
    if isinstance(value, dict):
        return next((text for key in _NAMES if (text := plain_text(value.get(key)))), None)
    return plain_text(value)


def plain_text(value: object) -> str | None:
    """Return a value of somebody's as one short line, if it is a text or a number."""
    if isinstance(value, str):
        return one_line(value, _CHARS_MAX) or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= COUNT_MAX:
        return str(value)
    return None
