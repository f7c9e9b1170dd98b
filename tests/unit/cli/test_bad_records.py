"""Whatever lies in ZooKeeper, the commands show what they can read, and say what they cannot."""

import json
from collections.abc import Mapping
from typing import Final

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remuda.cli.capsule import capsule
from remuda.cli.deleting import delete
from remuda.cli.explaining import explain
from remuda.cli.failures import failures
from remuda.cli.image.logs import log
from remuda.cli.image.moving import rollback
from remuda.cli.image.overview import list_images, show
from remuda.cli.output import BROKEN_MAX
from remuda.cli.overview import nodes, pools, requests, status
from remuda.model import codec
from remuda.model.ids import RequestId
from remuda.store import paths
from remuda.store.api import Create, Set
from requestor.client import Client
from requestor.commands.autohold import autohold
from requestor.commands.holds import holds
from requestor.commands.release import release
from requestor.commands.request import request
from requestor.errors import RequestFailedError, RequestorError
from tests.support import badimages
from tests.support.badrecords import (
    DOCS,
    NODE,
    PLACES,
    REQUEST,
    SEEN,
    Bad,
    bad_records,
    raw_of,
)
from tests.support.commands import CommandHarness

#: What shows each kind of record.
VIEWS: Final[Mapping[str, tuple[tuple[click.Command, tuple[str, ...]], ...]]] = {
    "request": ((requests, ()), (status, ()), (explain, (REQUEST,))),
    "builder's request": ((requests, ()), (status, ()), (explain, (badimages.ASKING,))),
    "launch": ((holds, ()), (nodes, ()), (explain, (NODE,))),
    "node": (
        (holds, ()),
        (nodes, ()),
        (nodes, ("--state", "ready", "--label", "small")),
        (explain, (NODE,)),
        (status, ()),
    ),
    "status": ((pools, ()), (status, ()), (explain, (NODE,))),
    "pool": ((pools, ()), (explain, (REQUEST,))),
    "replica": ((status, ()),),
    "autohold": ((autohold, ("list",)),),
    "verdict": ((explain, (REQUEST,)),),
    "failure": ((failures, ()), (failures, (NODE,))),
    "capsule": ((failures, ()), (capsule, (NODE,)), (failures, (NODE,))),
    "failed request": ((failures, ()), (failures, (REQUEST,)), (explain, (REQUEST,))),
    "image": ((list_images, ()), (show, (badimages.IMAGE,))),
    "build": ((list_images, ()), (show, ("debian",)), (show, ("debian/12",))),
    "upload": ((list_images, ()), (show, ("debian/13",))),
    "pointer": ((list_images, ()), (show, ("debian",)), (rollback, ("debian",))),
    "tally": ((list_images, ()), (show, ("debian",))),
    "plain tally": ((show, ("debian",)),),
    "last use": ((list_images, ()), (show, ("debian",))),
    "take-home image": ((holds, ()), (nodes, ()), (explain, (NODE,))),
    "take-home end": ((holds, ()),),
    "image log": ((log, ("debian/12",)), (show, ("debian/12",))),
}
#: A command may say that it found nothing, or nothing readable.
CODES = frozenset({0, 1, 2})


def harness_with(records: Mapping[str, bytes]) -> CommandHarness:
    """Return a harness whose ZooKeeper holds *records*, and one right record of each kind."""
    harness = CommandHarness()
    store = harness.launcher.store
    store.ensure(*(path.rpartition("/")[0] for path in PLACES.values()))
    for kind, raw in records.items():
        path = PLACES[kind]
        there = store.read(path)  # others lie below it
        store.commit(
            [Create(path=path, data=raw)]
            if there is None
            else [Set(path=path, data=raw, version=there.version)]
        )
    return harness


def see_everything(records: Mapping[str, bytes]) -> None:
    """Let every view of *records* be shown, as tables and as JSON."""
    harness = harness_with({**{kind: raw_of(doc) for kind, doc in DOCS.items()}, **records})
    for command, words in dict.fromkeys(view for kind in records for view in VIEWS[kind]):
        for form in ((), ("--json",)):
            result = harness.call(command, *words, *form)
            told = f"{command.name} {words}: {result.exception!r}"
            assert result.exception is None or isinstance(result.exception, SystemExit), told
            assert result.exit_code in CODES, told
            result.output.encode()
            if form and result.exit_code == 0:
                # A log is a stream of events.
                texts = result.stdout.splitlines() if command is log else [result.stdout]
                for text in texts:
                    json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize("bad", [bad for bad in SEEN if bad.kind in VIEWS], ids=str)
def test_no_record_that_was_seen_to_end_a_command_does(bad: Bad) -> None:
    """Each view, as a table and as JSON."""
    see_everything({bad.kind: bad.raw})


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.fixed_dictionaries({}, optional={kind: bad_records(kind) for kind in VIEWS}))
def test_no_record_ends_a_command(records: dict[str, bytes]) -> None:
    """Any wrong values in any records together."""
    see_everything(records)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(bad_records("request"), bad_records("node"), st.sampled_from(["requested", "fulfilled"]))
def test_no_record_ends_a_requestor(wanted: bytes, node: bytes, state: str) -> None:
    """Who waits for a request, and takes its nodes, is told what is wrong with them."""
    harness = harness_with(
        {
            "request": wanted.replace(b'"requested"', f'"{state}"'.encode()),
            "node": node.replace(b'"allocated_to": null', f'"allocated_to": "{REQUEST}"'.encode()),
        }
    )
    with Client(harness.zookeeper.connect()) as client:
        pending = client.attach(REQUEST, force=True)
        try:
            if pending.check():
                pending.accept().release()
        except RequestorError as exc:
            str(exc).encode()


@settings(max_examples=60, derandomize=True, deadline=None)
@given(bad_records("node"))
def test_no_record_ends_a_command_that_changes_it(node: bytes) -> None:
    """Deleting and giving back."""
    for command, words in ((release, (NODE,)), (delete, (NODE,)), (delete, ("--force", NODE))):
        result = harness_with({"node": node}).call(command, *words)

        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert result.exit_code in CODES


def test_a_request_that_nobody_can_serve_is_named_with_the_reason() -> None:
    """In the list, in JSON, and when somebody asks why it waits."""
    harness = harness_with({"request": raw_of({**DOCS["request"], "requestor": "r" * 240_000})})
    why = "the record has 240"
    (one,) = harness.json(requests)
    told = harness.call(explain, REQUEST)

    assert f"broken record: {REQUEST}: {why}" in harness.call(requests).stdout
    assert one["unfit"].startswith(why)
    assert (told.exit_code, harness.json(explain, REQUEST)["broken"][: len(why)]) == (0, why)
    assert f"its record cannot be served: {why}" in told.stdout


def test_a_request_that_is_no_json_is_named_too() -> None:
    """It cannot be answered, but it can be seen."""
    harness = harness_with({"request": b"{nonsense"})
    told = harness.call(explain, REQUEST)

    assert f"broken record: {REQUEST}: Expecting property name" in harness.call(requests).stdout
    assert told.exit_code == 1
    assert f"remuda: request {REQUEST}: its record cannot be served: Expecting" in told.stderr
    assert "broken record: request 200-0000000001" in harness.call(status).stdout


def test_a_failed_request_that_is_unfit_is_told_to_who_waits_for_it() -> None:
    """With the provider's verdict."""
    doc = {**DOCS["request"], "state": "failed", "relative_priority": "high"}
    verdict = {**DOCS["verdict"], "ruling": "declined", "reason": "relative_priority is 'high'"}
    harness = harness_with({"request": raw_of(doc), "verdict": raw_of(verdict)})
    with Client(harness.zookeeper.connect()) as client:
        pending = client.attach(REQUEST, force=True)
        with pytest.raises(RequestFailedError, match="declined"):
            pending.check()


def test_of_many_broken_records_some_are_named() -> None:
    """And the others counted."""
    harness = harness_with({})
    for number in range(BROKEN_MAX + 5):
        name = f"200-{number:010d}"
        path = paths.request(RequestId(name))
        harness.launcher.store.commit([Create(path=path, data=b"x" * codec.RECORD_BYTES_MAX)])
    text = harness.call(requests).stdout

    assert text.count("broken record: ") == BROKEN_MAX
    assert "and 5 more broken records" in text
    assert len(text) < 10_000


def test_a_command_of_ours_still_asks_beside_broken_records() -> None:
    """Nobody waits because of somebody else's rubbish."""
    harness = harness_with({bad.kind: bad.raw for bad in SEEN})
    harness.launcher.register("small")

    assert harness.call(request, "small", "--priority", "high").exit_code == 0
