"""`remuda image verify`: one bit of what was made is another, and it is found.

Of records, lists, properties, scripts and files; a copy's in another cloud as well.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remuda.cli.image.provenance import provenance
from remuda.cli.image.verify import verify
from remuda.images.inventory import decode_inventory
from remuda.images.statement import (
    OF_RECORD,
    OF_UPLOAD,
    decode_statement,
    encode_statement,
    of_doc,
)
from remuda.model import tags
from remuda.model.codec import CorruptRecordError
from remuda.store import paths
from tests.fakes.image_store import FakeImages
from tests.unit.builder.handbench import BUILD, PROVIDER
from tests.unit.cli.madeimage import COPIER, Made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Made]:
    """A build that is made, signed, and in both clouds."""
    one = Made(tmp_path).made()
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
    _flip_record(site, paths.build(BUILD), key, place, {"record", "inventory", "property"})


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
