"""`remuda image provenance, verify`: what is stated of a build that was really made, and holds.

One builder makes the build in one cloud and carries it to another; then one byte changes.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.place.sites import Site
from builder.recipe.compile import compile_images
from builder.upload.hand_copy import CopyBetweenSites, CopyingHand
from remuda.cli.context import CommandContext
from remuda.cli.image.provenance import provenance
from remuda.cli.image.verify import verify
from remuda.cloud.api import TryLaterError
from remuda.cloud.image_store import ImageStore, Visibility
from remuda.config import loader, trees
from remuda.config.model import Config
from remuda.images.inventory import decode_inventory
from remuda.images.statement import OF_RECORD, OF_UPLOAD, decode_statement
from remuda.model import tags
from remuda.model.codec import CorruptRecordError
from remuda.model.image import UploadId
from remuda.model.upload import Method, Upload, UploadState, decode_upload, encode_upload
from remuda.store import paths
from remuda.store.api import Create, Delete, Set, Stored
from tests.fakes.cloud import FakeCloud
from tests.fakes.glance import FakeGlance, Snapshot
from tests.fakes.image_store import FakeImages
from tests.support.signing import make_signing_key
from tests.support.sshd import make_key
from tests.support.statementschema import SBOM, STATEMENT
from tests.unit.builder.handbench import BUILD, ME, PROVIDER, Bench, ran
from tests.unit.builder.makings import make

COPIER: Final = "beta"
LISTED: Final = "git:amd64 1:2.39-1\nlibc6:amd64 2.36\nremuda-packages 2\n"
SYSTEM: Final = "id debian\nversion 12\npackages deb\n"


class Made:
    """Two clouds, a configuration with its files, and a build that is in both."""

    def __init__(self, folder: Path, *, fate: Snapshot = Snapshot.OK) -> None:
        self.folder = folder
        self.bench = Bench(folder)
        self.bench.glance.next_snapshots.append(fate)
        self.key, self.public = make_signing_key(folder)
        (folder / "fill.sh").write_text("#!/bin/sh\ntrue\n")
        (folder / "files").mkdir()
        (folder / "files/mirrors").write_text("http://example.org\n")
        self.config: dict[str, Any] = self._config()
        self.far = FakeImages(FakeCloud(self.bench.clock), FakeGlance(region="far"))
        self.images: dict[str, ImageStore] = {PROVIDER: self.bench.images, COPIER: self.far}
        self.away: set[str] = set()
        self.write()

    def _config(self) -> dict[str, Any]:
        make_key(self.folder / "id_ed25519")
        provider = {"cloud": "c", "ssh-key-file": "id_ed25519"}
        pools = {"main": {"networks": ["ci"], "labels": {"small": {"image": "x", "flavor": "y"}}}}
        return {
            "zookeeper": {"hosts": ["fake:2181"]},
            "clouds-file": str(self.folder / "clouds.yaml"),
            "labels": {"small": {}},
            "providers": {name: {**provider, "pools": pools} for name in (PROVIDER, COPIER)},
            "image-signing": {"key-file": self.key.name, "public-key-file": self.public.name},
            "images": {
                "debian": {
                    "base": "debian-12",
                    "flavor": "disk",
                    "username": "debian",
                    "providers": {PROVIDER: None, COPIER: {"copy-from": PROVIDER}},
                    "steps": [
                        {"script": {"file": "fill.sh"}, "name": "fill", "timeout": 60},
                        {"copy": {"from": "files", "to": "/opt/files"}, "timeout": 60},
                    ],
                    "checks-before": [{"script": {"inline": "true"}, "name": "it is there"}],
                }
            },
        }

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.folder / "remuda.yaml"

    def write(self) -> None:
        """Write the configuration."""
        clouds = self.folder / "clouds.yaml"
        clouds.touch(mode=0o600)
        clouds.write_text("clouds: {c: {region_name: R}}\n")
        self.file.write_text(yaml.safe_dump(self.config))

    def made(self, *, signed: bool = True) -> "Made":
        """Make the build, and carry it to the other cloud."""
        bench, config = self.bench, loader.load_for_user(self.file)
        assert isinstance(config, Config)
        found = compile_images(config, trees.read)
        bench.recipe, bench.policy = found.recipes["debian"], found.policies["debian"]
        bench.others.commit([Create(path=paths.INSTALLATION, data=b"inst")])
        bench.session.ends["packages"] = ran(output=LISTED)
        bench.session.ends["release"] = ran(output=SYSTEM)
        bench.session.copy_tree = lambda *_, **__: None  # type: ignore[attr-defined]
        bench.put_build(
            place=bench.images.location().place,
            group=(PROVIDER, COPIER),
            fingerprint=bench.policy.fingerprint,
        )
        there = self.far.location().place
        ended = make(bench, also=(there,), signing_key_file=str(self.key) if signed else None)
        assert ended.why is None
        self._carry(there)
        return self

    def _carry(self, place: str) -> None:
        bench = self.bench
        source = self.upload(bench.images.location().place)
        wanted = self.upload(place)
        after = replace(
            wanted.value,
            state=UploadState.MAKING,
            method=Method.CARRY,
            owner=ME,
            source=source.value.id.place,
        )
        bench.others.commit(
            [Set(path=wanted.path, data=encode_upload(after), version=wanted.version)]
        )
        hand = CopyingHand(
            store=bench.store,
            clock=bench.clock,
            installation="inst",
            folder=self.folder / "carried",
            new_token=lambda: "token",
        )
        ended = hand.copy(
            CopyBetweenSites(
                upload=self.upload(place),
                source=source,
                here=Site(provider=COPIER, images=self.far),
                there=Site(provider=PROVIDER, images=bench.images),
                statement=bench.build().value.statement,
            )
        )
        assert ended.why is None

    def upload(self, place: str) -> Stored[Upload]:
        """Return an upload on record."""
        one = UploadId(BUILD, place)
        stored = self.bench.others.read(paths.upload(one))
        assert stored is not None
        value = decode_upload(one, stored.value)
        return Stored(path=stored.path, value=value, version=stored.version)

    # Commands.

    @contextmanager
    def _open(self, _config: Config, provider: str) -> Iterator[ImageStore]:
        if provider in self.away:
            raise TryLaterError("fake: \x1b[2Jlater")
        yield self.images[provider]

    def call(self, command: click.Command, *words: str, config: bool = True) -> Result:
        """Run a command as from a shell."""
        context = CommandContext(
            config=self.file if config else None,
            zookeeper="fake:2181",
            connect=lambda _options: self.bench.zookeeper.connect(),
            open_images=self._open,
        )
        return CliRunner().invoke(command, list(words), obj=context)

    def findings(self, *words: str, code: int = 0, config: bool = True) -> set[tuple[str, ...]]:
        """Return what `verify` finds: of what, where and with what result."""
        result = self.call(verify, str(BUILD), "--json", *words, config=config)
        assert result.exit_code == code, result.output
        doc = json.loads(result.stdout)
        assert doc["verified"] is (code == 0)
        return {(one["of"], one["where"] or "", one["result"]) for one in doc["findings"]}

    def wrong(self, *words: str) -> set[str]:
        """Return of what something differs, which must be so."""
        found = self.findings(*words, code=1)
        return {of for of, _, result in found if result in {"differs", "away"}}

    # What changes.

    def change(self, path: str, change: Callable[[bytes], bytes]) -> Callable[[], None]:
        """Change a record; return what undoes that."""
        store = self.bench.others
        stored = store.read(path)
        assert stored is not None
        store.commit([Set(path=path, data=change(stored.value), version=stored.version)])
        return lambda: store.commit([Set(path=path, data=stored.value, version=-1)]) and None

    def properties(self, provider: str, **pairs: str) -> None:
        """Change properties of the image in a cloud, as somebody could."""
        images = self.images[provider]
        assert isinstance(images, FakeImages)
        (kept,) = images.glance.kept.values()
        kept.image = replace(kept.image, properties={**kept.image.properties, **pairs})

    def image(self, provider: str, **changes: Any) -> None:
        """Change the image in a cloud itself."""
        images = self.images[provider]
        assert isinstance(images, FakeImages)
        (kept,) = images.glance.kept.values()
        kept.image = replace(kept.image, **changes)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Made]:
    """A build that is made, signed, and in both clouds."""
    one = Made(tmp_path).made()
    yield one
    one.bench.close()


GOOD: Final = {
    ("record", "", "same"),
    ("packages", "", "same"),
    ("signature", "", "same"),
    ("script", "", "same"),
    ("image", PROVIDER, "same"),
    ("property", PROVIDER, "same"),
    ("image", COPIER, "same"),
    ("property", COPIER, "same"),
}


def test_what_was_made_is_what_is_stated(site: Made) -> None:
    """In records, recipe, signature, and in both clouds."""
    assert site.findings() == GOOD
    assert site.call(verify, str(BUILD)).exit_code == 0
    assert site.findings("--public-key", str(site.public), "--any-recipe") == GOOD - {
        ("script", "", "same")
    }


def test_it_says_what_it_cannot_know(site: Made) -> None:
    """Without a configuration: no key, no recipe, no cloud. None of that passes for agreement."""
    assert site.findings(config=False) == {
        ("record", "", "same"),
        ("packages", "", "same"),
        ("signature", "", "unknown"),
        ("script", "", "unknown"),
        ("image", "", "unknown"),
    }
    text = site.call(verify, str(BUILD), config=False).stdout
    assert "no cloud was asked: give --config FILE" in text


def test_a_cloud_without_hashes_is_said_to_have_none(tmp_path: Path) -> None:
    """Its size is all that can be compared; a copy of it is compared by what was carried."""
    site = Made(tmp_path, fate=Snapshot.UNHASHED).made()

    assert ("image", PROVIDER, "unknown") in site.findings()
    assert "only its size was compared" in site.call(verify, str(BUILD)).stdout
    site.image(PROVIDER, size_bytes=7)
    assert site.wrong() == {"image"}
    site.bench.close()


@pytest.mark.parametrize("provider", [PROVIDER, COPIER])
@pytest.mark.parametrize(
    "key", [tags.IMAGE, tags.BUILD, tags.STATEMENT, tags.INSTALLATION, tags.PROVIDER, tags.COPY_OF]
)
def test_a_property_that_differs_is_found(site: Made, provider: str, key: str) -> None:
    """In whichever cloud; a copy's as well."""
    site.properties(provider, **{key: "another"})

    assert site.findings(code=1) ^ GOOD == {
        ("property", provider, "same"),
        ("property", provider, "differs"),
    }


@pytest.mark.parametrize(
    ("changes", "of"),
    [
        ({"hidden": False}, {"property"}),
        ({"name": "another"}, {"property"}),
        ({"visibility": Visibility.PUBLIC}, {"property"}),
        ({"size_bytes": 7}, {"image"}),
        ({"hash_value": "0" * 128}, {"image"}),
    ],
)
def test_an_image_that_differs_is_found(site: Made, changes: dict[str, Any], of: set[str]) -> None:
    """By what the cloud tells of it."""
    site.image(PROVIDER, **changes)

    assert site.wrong() == of


def test_an_image_that_is_gone_is_found(site: Made) -> None:
    """A cloud that is away is told from that, and is no agreement either."""
    site.far.glance.kept.clear()
    assert ("image", COPIER, "differs") in site.findings(code=1)
    site.away.add(PROVIDER)
    assert ("image", PROVIDER, "away") in site.findings(code=1)
    assert "\x1b" not in site.call(verify, str(BUILD)).output
    del site.config["providers"][COPIER], site.config["images"]["debian"]["providers"][COPIER]
    site.away.clear()
    site.write()
    assert ("image", site.far.location().place, "unknown") in site.findings()


def test_a_script_or_file_that_differs_is_found(site: Made) -> None:
    """By its step; whoever knows that the recipe has changed since leaves it out."""
    (site.folder / "fill.sh").write_text("#!/bin/sh\nfalse\n")
    assert site.wrong() == {"script"}
    assert "step 1, fill, is another one by now" in site.call(verify, str(BUILD)).stdout
    site.findings("--any-recipe")
    (site.folder / "fill.sh").write_text("#!/bin/sh\ntrue\n")
    (site.folder / "files/mirrors").write_text("http://example.com\n")
    assert "step 2, copy /opt/files" in site.call(verify, str(BUILD)).stdout
    (site.folder / "files/mirrors").unlink()
    (site.folder / "files").rmdir()
    assert ("script", "", "unknown") in site.findings()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("checks-before", [{"script": {"inline": "false"}}], "check before 1"),
        ("checks-before", [], "with 1 of kind check before, and there are 0"),
        ("environment", {"A": "b"}, "step"),
        ("username", "root", "base, user, variables"),
    ],
)
def test_another_recipe_is_found(site: Made, key: str, value: Any, said: str) -> None:
    """Whatever of it is another."""
    site.config["images"]["debian"][key] = value
    site.write()

    if key == "environment":
        said = "base, user, variables"
    assert said in site.call(verify, str(BUILD)).stdout
    assert site.wrong() == {"script"}


def test_a_signature_of_another_key_is_found(site: Made, tmp_path: Path) -> None:
    """And that there is none, where one has to be."""
    other = tmp_path / "other"
    other.mkdir()
    key, public = make_signing_key(other)
    assert site.wrong("--public-key", str(public)) == {"signature"}
    both = tmp_path / "both.pub"
    both.write_bytes(public.read_bytes() + site.public.read_bytes())
    site.findings("--public-key", str(both))
    result = site.call(verify, str(BUILD), "--public-key", str(key))
    assert result.exit_code == 2
    assert "holds a private key" in result.output
    del site.config["image-signing"]["public-key-file"]
    site.write()
    site.findings()  # by the public half of the private key, on a builder's host
    site.config["image-signing"]["key-file"] = "nowhere.pem"
    site.write()
    assert ("signature", "", "unknown") in site.findings()


def test_what_is_not_signed_does_not_pass_for_it(tmp_path: Path) -> None:
    """A signature that is taken away is one that is missing."""
    site = Made(tmp_path).made(signed=False)

    assert site.wrong() == {"signature"}
    del site.config["image-signing"]
    site.write()
    assert ("signature", "", "unknown") in site.findings()
    site.bench.close()


def test_a_statement_of_another_build_is_found(site: Made) -> None:
    """Also if the record names its hash: it is not signed by then, or of something else."""
    undo = site.change(paths.image_statement(BUILD), lambda _: b"x")
    assert site.wrong() == {"record"}
    undo()
    site.bench.others.commit([Delete(path=paths.image_statement(BUILD))])
    assert site.wrong() == {"record"}


def test_a_build_of_which_nothing_is_stated_says_so(site: Made) -> None:
    """It was made by an older builder; where signatures are wanted it has none."""
    site.bench.others.commit([Delete(path=paths.image_statement(BUILD))])
    site.change(paths.build(BUILD), lambda raw: _without(raw, "statement"))

    assert {"signature", "property"} == site.wrong()
    result = site.call(provenance, str(BUILD))
    assert result.exit_code == 1
    assert "nothing is stated of debian/7" in result.output


def _without(raw: bytes, key: str) -> bytes:
    doc = json.loads(raw)
    del doc[key]
    return json.dumps(doc).encode()


def test_records_that_cannot_be_read_are_found(site: Made) -> None:
    """Of the build, of a copy, and the list of packages."""
    for path, of in (
        (paths.build(BUILD), {"record"}),
        (site.upload(site.far.location().place).path, {"record"}),
        (paths.image_packages(BUILD), {"packages"}),
    ):
        undo = site.change(path, lambda _: b"x")
        assert of <= site.wrong()
        undo()


def test_a_build_that_is_not_there_is_a_mistake(site: Made) -> None:
    """Not a failed verification."""
    for words in (["debian/8"], ["other/1"]):
        assert site.call(verify, *words).exit_code == 2
        assert site.call(provenance, *words).exit_code == 2
    assert site.call(provenance, str(BUILD), "--sbom", "--envelope").exit_code == 2


# -- one byte --------------------------------------------------------------------------------


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
def test_no_byte_of_the_list_of_packages_may_change(site: Made, place: tuple[float, int]) -> None:
    """The record has a hash of all of it."""
    path, (share, bit) = paths.image_packages(BUILD), place
    stored = site.bench.others.read(path)
    assert stored is not None
    raw = flipped(stored.value, int(share * len(stored.value)), bit)
    try:
        same = decode_inventory(BUILD, raw) == decode_inventory(BUILD, stored.value)
    except CorruptRecordError:
        same = False
    undo = site.change(path, lambda _: raw)
    try:
        assert same or site.wrong() == {"packages"}
    finally:
        undo()


@FLIPS
@given(st.sampled_from([*OF_RECORD, "statement"]), PLACES)
def test_no_byte_of_the_record_may_change(site: Made, key: str, place: tuple[float, int]) -> None:
    """Of what does not change by itself."""
    _flip_record(site, paths.build(BUILD), key, place, {"record", "packages", "property"})


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


# -- printed ---------------------------------------------------------------------------------


def test_it_is_printed_in_forms_that_others_read(site: Made) -> None:
    """The statement, its envelope, and the bill of materials."""
    plain = json.loads(site.call(provenance, str(BUILD), "--json").stdout)
    envelope = json.loads(site.call(provenance, str(BUILD), "--envelope").stdout)
    bill = json.loads(site.call(provenance, str(BUILD), "--sbom").stdout)

    jsonschema.validate(plain, STATEMENT)
    jsonschema.validate(bill, SBOM)
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert len(envelope["signatures"]) == 1
    purls = [one.get("purl") for one in bill["components"]]
    assert purls[1] == "pkg:deb/debian/git@1:2.39-1?arch=amd64&distro=debian-12"


def test_people_see_who_made_it_from_what(site: Made) -> None:
    """And by which key it is signed; text of strangers steers nothing."""
    text = site.call(provenance, str(BUILD)).stdout

    assert "build      debian/7" in text
    assert "why        age" in text
    assert "system     debian 12" in text
    assert "signed by  key " in text
    assert "step 1: fill" in text
    assert "step 2: /opt/files/mirrors" in text
    assert "PRIVATE" not in text


@pytest.mark.parametrize("what", ["packages", "statement"])
def test_what_cannot_be_read_is_one_sentence(site: Made, what: str) -> None:
    """Not a traceback."""
    path = paths.image_packages(BUILD) if what == "packages" else paths.image_statement(BUILD)
    site.change(path, lambda _: b"x")
    result = site.call(provenance, str(BUILD), "--sbom")

    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    site.bench.others.commit([Delete(path=paths.image_packages(BUILD))])
    assert site.call(provenance, str(BUILD), "--sbom").exit_code == 1
