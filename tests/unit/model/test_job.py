"""Which job a request or a node is for, out of whatever its requestor wrote."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.model.job import (
    JOB_KEY,
    Job,
    find_job,
    job_of_node,
    job_of_request,
    job_variables,
    whose,
)

ZUUL = {
    "build_set_uuid": "bs1",
    "tenant_name": "t1",
    "pipeline_name": "check",
    "job_uuid": "5236",
    "job_name": "unit",
    "span_info": {"name": "RequestNodes", "trace_id": 2**127 + 1},
}
GITLAB = {
    "CI_JOB_NAME": "rspec",
    "CI_PIPELINE_ID": "77",
    "CI_PROJECT_PATH": "group/app",
    "CI_MERGE_REQUEST_IID": "5",
    "CI_COMMIT_REF_NAME": "fix-it",
}


@pytest.mark.parametrize(
    ("doc", "text"),
    [
        ({"requestor_data": ZUUL}, "unit (check)"),
        ({"requestor_data": None, "build_id": "folder/job#12"}, "folder/job#12"),
        (
            {"requestor_data": {"remuda": {"token": "x", **GITLAB}}},
            "rspec (77, group/app, 5, fix-it)",
        ),
        (
            {"requestor_data": {"JOB_NAME": "nightly", "BRANCH_NAME": "main", "CHANGE_ID": "9"}},
            "nightly (9, main)",
        ),
        (
            {"requestor_data": {"job": {"name": "a"}, "project": {"path_with_namespace": "g/p"}}},
            "a (g/p)",
        ),
        ({"requestor_data": {"change": 1234, "project": "p"}}, "p, 1234"),
    ],
)
def test_the_job_of_a_request_is_found(doc: dict[str, Any], text: str) -> None:
    """As Zuul, Jenkins and GitLab write it."""
    job = job_of_request(doc)

    assert job is not None
    assert job.text == text
    assert find_job(job.as_doc()) == job


@pytest.mark.parametrize(
    "data", [None, "text", 7, [ZUUL], {}, {"job_name": ""}, {"job_name": [1]}, {"job_name": True}]
)
def test_who_says_nothing_has_no_job(data: object) -> None:
    """It is not made up."""
    assert job_of_request({"requestor_data": data}) is None


def test_a_node_has_the_job_that_its_launcher_wrote() -> None:
    """And what its user says in addition: Zuul names the project there."""
    user = {"zuul_system": "z", "project_name": "example.org/p"}

    assert job_of_node({"user_data": user}) == Job(project="example.org/p")
    assert job_of_node({JOB_KEY: {"job": "unit"}, "user_data": user}) == Job(
        job="unit", project="example.org/p"
    )
    assert job_of_node({"build_id": "x#1", "user_data": "metastatic's text"}) == Job(job="x#1")


def test_who_asks_and_for_what_is_one_text() -> None:
    """As far as it is known."""
    assert whose("zuul", Job(job="unit", pipeline="check")) == "zuul: unit (check)"
    assert whose(None, Job(job="unit")) == "unit"
    assert whose("ada@host", None) == "ada@host"
    assert whose(None, None) == ""


def test_variables_of_a_job_are_taken_along() -> None:
    """Those that name it, and no others."""
    assert job_variables({**GITLAB, "CI_JOB_TOKEN": "secret", "BRANCH_NAME": ""}) == GITLAB


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["job", "JOB_NAME", "project", "x", "name"]), inner)
    ),
    max_leaves=20,
)


@given(JSON, JSON)
def test_any_json_is_taken(data: Any, more: Any) -> None:
    """Each field is a bounded line that can be written and shown."""
    for job in (
        job_of_request({"requestor_data": data, "build_id": more}),
        job_of_node({JOB_KEY: data, "user_data": more}),
    ):
        for value in job.as_doc().values() if job else ():
            assert 0 < len(value) <= 200
            assert "\n" not in value
            json.dumps(value).encode("ascii")
            value.encode()


def test_a_large_record_costs_little() -> None:
    """Whatever is nested in it."""
    deep: dict[str, Any] = {"job_name": "too deep"}
    for _ in range(50):
        deep = {"x": deep}
    wide = {f"k{number}": {"job_name": str(number)} for number in range(100_000)}

    assert find_job(deep) is None
    assert find_job(wide) is None
