"""What the index of an archive says of its job: as far as anybody has, and never as markup."""

from typing import Any

import pytest

from remuda.archive.facts import facts_table
from remuda.archive.trees import tree_of_texts
from tests.fakes.archive_sink import FakeSink
from tests.unit.archive.test_writer import archived

GITLAB = {
    "CI_JOB_NAME": "unit",
    "CI_PIPELINE_ID": 7,
    "CI_PROJECT_PATH": "example.org/p",
    "CI_MERGE_REQUEST_IID": "1234",
    "CI_COMMIT_REF_NAME": "main",
}


def row(name: str, value: str) -> str:
    """Return a row as it stands in the page."""
    return f"<tr><th>{name}</th><td>{value}</td></tr>"


def test_the_first_page_names_the_job_and_its_machine() -> None:
    """Once: folders below have their own name alone."""
    sink = FakeSink()
    about = {"label": "noble", "nodes": ["3000000001"], "code": 2, "job": GITLAB}
    archived(sink, tree_of_texts({"a/x": b"1"}), about=about)
    page = sink.stored["index.html"].decode()
    for name, value in (
        ("job", "unit"),
        ("pipeline", "7"),
        ("project", "example.org/p"),
        ("change", "1234"),
        ("ref", "main"),
        ("label", "noble"),
        ("node", "3000000001"),
        ("exit code", "2"),
    ):
        assert row(name, value) in page
    assert "<tr><th>archived</th><td>20" in page
    assert "3000000001" not in sink.stored["a/index.html"].decode()


def test_words_of_strangers_are_no_markup_and_no_secret() -> None:
    """Of a job's name, too, which anybody chooses."""
    sink = FakeSink()
    name = "<script>alert(1)</script>\n\x1b[1m\u202egpj"
    about = {"job": {"CI_JOB_NAME": name}, "label": "a&b"}
    archived(sink, tree_of_texts({"x": b"1"}), about=about)
    page = sink.stored["index.html"].decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page  # what stands behind it would be read backwards
    assert row("label", "a&amp;b") in page


@pytest.mark.parametrize(
    ("about", "shown"),
    [
        ({}, ""),
        ({"job": None, "label": 7.5, "nodes": "x", "code": True}, ""),
        ({"job": {}, "label": "", "nodes": []}, ""),
        ({"job": {"CI_JOB_NAME": {"deep": []}}}, ""),
        ({"job": "unit"}, row("job", "unit")),
        ({"code": 0}, row("exit code", "0")),
        ({"nodes": [str(n) for n in range(25)]}, "18, 19 and 5 more"),
    ],
)
def test_what_nobody_has_said_is_not_there(about: dict[str, Any], shown: str) -> None:
    """Nor what is no text: scripts may say anything."""
    table = facts_table(about, None)
    assert (shown in table) if shown else (table == "")
