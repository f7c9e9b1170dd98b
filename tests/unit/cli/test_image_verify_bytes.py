"""`remuda image verify`: one bit of what was made is another, and it is found.

Of records, lists, properties, scripts and files; a copy's in another cloud as well.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remuda.cli.image.provenance import provenance
from remuda.cli.image.verify import verify
from remuda.images.inventory import decode_inventory
from remuda.images.statement import (
    EXTERNAL,
    INTERNAL,
    OF_RECORD,
    OF_UPLOAD,
    decode_statement,
    encode_statement,
    of_doc,
)
from remuda.model import tags
from remuda.model.capture import Captured, captured_doc
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.image import BuildId
from remuda.store import paths
from tests.fakes.image_store import FakeImages
from tests.support.badimages import DOCS
from tests.unit.builder.handbench import BUILD, PROVIDER
from tests.unit.cli.madeimage import COPIER, Made

MACHINE: Final = Captured(
    node=NodeId("3000000001"), provider="p", pool="main", label="small", requestor="ci", token="t1"
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Made]:
    """A build that is made, signed, and in both clouds."""
    one = Made(tmp_path).made(origin=BuildId("core", 3), captured=MACHINE)
    yield one
    one.bench.close()


def flipped(raw: bytes, at: int, bit: int) -> bytes:
    """Return bytes of which one bit is another."""
    return raw[:at] + bytes([raw[at] ^ (1 << bit)]) + raw[at + 1 :]


PLACES: Final = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
FLIPS: Final = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FLIPS
@given(PLACES)
def test_no_byte_of_what_is_stated_may_change(site: Made, place: tuple[float, int]) -> None:
    """Nor of its signature; a bit that pads the compression says nothing."""
    path, (share, bit) = paths.image_statement(BUILD), place
    stored = site.bench.others.read(path)
    assert stored is not None
    raw = flipped(stored.value, int(share * len(stored.value)), bit)
    try:
        same = decode_statement(BUILD, raw) == decode_statement(BUILD, stored.value)
    except CorruptRecordError:
        same = False
    undo = site.change(path, lambda _: raw)
    try:
        assert same or site.wrong() <= {"record", "signature"}
    finally:
        undo()


@FLIPS
@given(PLACES)
def test_no_byte_of_the_inventory_may_change(site: Made, place: tuple[float, int]) -> None:
    """The record has a hash of all of it."""
    path, (share, bit) = paths.image_inventory(BUILD), place
    stored = site.bench.others.read(path)
    assert stored is not None
    raw = flipped(stored.value, int(share * len(stored.value)), bit)
    try:
        same = decode_inventory(BUILD, raw) == decode_inventory(BUILD, stored.value)
    except CorruptRecordError:
        same = False
    undo = site.change(path, lambda _: raw)
    try:
        assert same or site.wrong() == {"inventory"}
    finally:
        undo()


@FLIPS
@given(st.sampled_from([*OF_RECORD, "statement"]), PLACES)
def test_no_byte_of_the_record_may_change(site: Made, key: str, place: tuple[float, int]) -> None:
    """Of what does not change by itself."""
    assert key in json.loads(_record(site)) or key in {"parent", "file"}  # it has none of these
    _flip_record(site, paths.build(BUILD), key, place, {"record", "inventory", "property"})


def _record(site: Made) -> bytes:
    stored = site.bench.others.read(paths.build(BUILD))
    assert stored is not None
    return stored.value


@pytest.mark.parametrize("key", ["parent", "origin", "captured", "file"])
@pytest.mark.parametrize("signed", [True, False])
def test_what_is_added_to_the_record_is_found(tmp_path: Path, *, key: str, signed: bool) -> None:
    """It was stated that there was none; of an older builder's statement nobody can tell."""
    site = Made(tmp_path).made(signed=signed)
    more = {
        "parent": "debian/6",
        "origin": "core/3",
        "captured": captured_doc(MACHINE),
        "file": DOCS["build"]["file"],
    }
    site.change(paths.build(BUILD), lambda raw: _with(raw, **{key: more[key]}))

    assert "record" in site.wrong()
    _restate(site, lambda doc: _part(doc, *INTERNAL, "record").pop(key))
    found = {result for of, _, result in _compared(site) if of == "record"}
    assert found == {"unknown"}
    site.bench.close()


@pytest.mark.parametrize("key", ["node", "provider", "pool", "label", "requestor"])
def test_the_machine_that_is_stated_is_the_one_on_record(site: Made, key: str) -> None:
    """Both where people look for it and where the record is repeated."""
    _restate(site, lambda doc: _part(doc, *EXTERNAL, "captured").update({key: "another"}))
    result = site.call(verify, str(BUILD))

    assert result.exit_code == 1
    assert "another machine was captured" in result.stdout
    _restate(site, lambda doc: _part(doc, *EXTERNAL).pop("captured"))
    assert "another machine was captured" in site.call(verify, str(BUILD)).stdout


def _with(raw: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(raw), **changes}).encode()


def _part(doc: Any, *keys: str) -> Any:
    for key in keys:
        doc = doc[key]
    return doc


def _compared(site: Made) -> set[tuple[str, ...]]:
    doc = json.loads(site.call(verify, str(BUILD), "--json").stdout)
    return {(one["of"], one["where"] or "", one["result"]) for one in doc["compared"]}


def _restate(site: Made, change: Callable[[Any], object]) -> None:
    """Change what is stated, and its hash on record."""
    path = paths.image_statement(BUILD)
    stored = site.bench.others.read(path)
    assert stored is not None
    doc = json.loads(decode_statement(BUILD, stored.value).payload)
    change(doc)
    after = of_doc(doc, complete=True)
    site.change(path, lambda _: encode_statement(after))
    site.change(paths.build(BUILD), lambda raw: _with(raw, statement=after.digest))


@FLIPS
@given(st.sampled_from(OF_UPLOAD), PLACES)
def test_no_byte_of_the_snapshots_record_may_change(
    site: Made, key: str, place: tuple[float, int]
) -> None:
    """Id, size and hashes."""
    path = site.upload(site.bench.images.location().place).path
    _flip_record(site, path, key, place, {"record", "image", "property"})


@FLIPS
@given(st.sampled_from(("cloud_image", "size_bytes", "os_hash", "carried_sha512")), PLACES)
def test_no_byte_of_a_copys_record_may_change(
    site: Made, key: str, place: tuple[float, int]
) -> None:
    """It is of the same bytes as the snapshot."""
    path = site.upload(site.far.location().place).path
    _flip_record(site, path, key, place, {"record", "image", "property"})


def _flip_record(site: Made, path: str, key: str, place: tuple[float, int], of: set[str]) -> None:
    stored = site.bench.others.read(path)
    assert stored is not None
    doc = json.loads(stored.value)
    if key not in doc:
        return
    # What stands behind the key, as it is written there.
    head = f'"{key}":'.encode()
    begin = stored.value.index(head) + len(head)
    value = json.dumps(doc[key], separators=(",", ":")).encode()
    assert stored.value[begin : begin + len(value)] == value
    share, bit = place
    raw = flipped(stored.value, begin + int(share * len(value)), bit)
    undo = site.change(path, lambda _: raw)
    try:
        found = site.wrong()
        assert found, f"{key}: {raw!r}"
        assert found <= of
    finally:
        undo()


@FLIPS
@given(
    st.sampled_from([PROVIDER, COPIER]),
    st.sampled_from(
        [tags.INSTALLATION, tags.PROVIDER, tags.IMAGE, tags.BUILD, tags.IMAGE_NAME, tags.STATEMENT]
    ),
    PLACES,
)
def test_no_byte_of_a_property_may_change(
    site: Made, provider: str, key: str, place: tuple[float, int]
) -> None:
    """In whichever cloud."""
    images, (share, bit) = site.images[provider], place
    assert isinstance(images, FakeImages)
    (kept,) = images.glance.kept.values()
    before = kept.image.properties[key].encode()
    after = flipped(before, int(share * len(before)), bit % 7).decode("latin-1")
    site.properties(provider, **{key: after})
    try:
        assert site.wrong() == {"property"}
    finally:
        site.properties(provider, **{key: before.decode()})


@FLIPS
@given(st.sampled_from(["fill.sh", "files/mirrors"]), PLACES)
def test_no_byte_of_a_script_or_file_may_change(
    site: Made, name: str, place: tuple[float, int]
) -> None:
    """Of those that steps run and copy."""
    file, (share, bit) = site.folder / name, place
    before = file.read_bytes()
    file.write_bytes(flipped(before, int(share * len(before)), bit % 7))
    try:
        result = site.call(verify, str(BUILD), "--json")
        # What is no script any more makes no configuration that could be used.
        assert result.exit_code in {1, 2}
        assert result.exit_code == 2 or site.wrong() == {"script"}
    finally:
        file.write_bytes(before)


def spots(doc: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where in a document something stands."""
    inner = doc.items() if isinstance(doc, dict) else enumerate(doc)
    for key, one in inner:
        yield (*above, key)
        if isinstance(one, dict | list):
            yield from spots(one, (*above, key))


ODD: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=4), one, max_size=3),
    max_leaves=5,
)


@FLIPS
@given(st.data())
def test_no_statement_of_strangers_ends_a_command(site: Made, data: st.DataObject) -> None:
    """Whatever stands where something else is looked for: it is a statement of something else."""
    path = paths.image_statement(BUILD)
    stored = site.bench.others.read(path)
    assert stored is not None
    doc = json.loads(decode_statement(BUILD, stored.value).payload)
    where = data.draw(st.sampled_from([*spots(doc)]))
    inner = doc
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = data.draw(ODD)
    undo = site.change(path, lambda _: encode_statement(of_doc(doc, complete=True)))
    try:
        for words in ([], ["--sbom"], ["--json"]):
            shown = site.call(provenance, str(BUILD), *words)
            assert isinstance(shown.exception, SystemExit | None), shown.exception
        assert site.call(verify, str(BUILD)).exit_code in {0, 1}
    finally:
        undo()
