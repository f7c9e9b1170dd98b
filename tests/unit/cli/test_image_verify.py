"""`remuda image provenance, verify`: what is stated of a build that was really made, and holds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from remuda.cli.image.provenance import provenance
from remuda.cli.image.verify import verify
from remuda.cloud.image_store import Visibility
from remuda.model import tags
from remuda.store import paths
from remuda.store.api import Delete
from tests.fakes.glance import Snapshot
from tests.support.signing import make_signing_key
from tests.support.statementschema import SBOM, STATEMENT
from tests.unit.builder.handbench import BUILD, PROVIDER
from tests.unit.cli.madeimage import COPIER, Made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Made]:
    """A build that is made, signed, and in both clouds."""
    one = Made(tmp_path).made()
    yield one
    one.bench.close()


GOOD: Final = {
    ("record", "", "same"),
    ("inventory", "", "same"),
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
        ("inventory", "", "same"),
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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "same", "same_as": 6}, "the same as debian/6"),
        ({"state": "failed"}, "it is failed, and has no image"),
        ({"state": "building"}, "it is building, and has no image"),
    ],
)
def test_a_build_without_an_image_is_not_verified_and_does_not_differ(
    site: Made, changes: dict[str, Any], said: str
) -> None:
    """Nothing could be signed; no cloud is asked. What it is the same as is named.

    It is no agreement either: who goes on only with what is verified does not go on.
    """
    uploads = [site.upload(one.location().place) for one in (site.bench.images, site.far)]
    for one in uploads:
        site.bench.others.commit([Delete(path=one.path)])
    site.bench.others.commit([Delete(path=paths.image_statement(BUILD))])
    site.change(paths.build(BUILD), lambda raw: _changed(raw, "statement", "snapshot", **changes))
    site.away.add(COPIER)

    assert site.findings(code=2) == {("record", "", "unknown")}
    told = site.call(verify, str(BUILD))
    assert (told.exit_code, said in told.stdout) == (2, True)
    assert f"there is nothing to verify of {BUILD}: nothing is stated of it" in told.stderr
    result = site.call(provenance, str(BUILD))
    assert (result.exit_code, said in result.output) == (1, True)


def test_no_record_without_a_snapshot_passes_while_there_is_an_image(site: Made) -> None:
    """Or whoever may write records could have an image without a signature verified."""
    site.bench.others.commit([Delete(path=paths.image_statement(BUILD))])
    changes = {"state": "same", "same_as": 6}
    site.change(paths.build(BUILD), lambda raw: _changed(raw, "statement", "snapshot", **changes))

    assert "signature" in site.wrong()


def _changed(raw: bytes, *gone: str, **changes: Any) -> bytes:
    doc = {**json.loads(raw), **changes}
    return json.dumps({key: one for key, one in doc.items() if key not in gone}).encode()


def _without(raw: bytes, key: str) -> bytes:
    doc = json.loads(raw)
    del doc[key]
    return json.dumps(doc).encode()


def test_records_that_cannot_be_read_are_found(site: Made) -> None:
    """Of the build, of a copy, and the list of packages."""
    for path, of in (
        (paths.build(BUILD), {"record"}),
        (site.upload(site.far.location().place).path, {"record"}),
        (paths.image_inventory(BUILD), {"inventory"}),
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


@pytest.mark.parametrize("what", ["inventory", "statement"])
def test_what_cannot_be_read_is_one_sentence(site: Made, what: str) -> None:
    """Not a traceback."""
    path = paths.image_inventory(BUILD) if what == "inventory" else paths.image_statement(BUILD)
    site.change(path, lambda _: b"x")
    result = site.call(provenance, str(BUILD), "--sbom")

    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    site.bench.others.commit([Delete(path=paths.image_inventory(BUILD))])
    assert site.call(provenance, str(BUILD), "--sbom").exit_code == 1


def test_more_steps_than_are_listed_are_compared_by_the_hash_of_all(tmp_path: Path) -> None:
    """Those that are listed one by one."""
    site = Made(tmp_path)
    step = {"command": "true", "timeout": 5}
    site.config["images"]["debian"]["steps"] += [step] * 250
    site.write()
    site.made()
    assert site.findings() == GOOD

    site.config["images"]["debian"]["steps"][-1] = {"command": "false", "timeout": 5}
    site.write()
    assert site.wrong() == {"script"}
    assert "base, user, variables" in site.call(verify, str(BUILD)).stdout
    site.config["images"]["debian"]["steps"][5] = {"command": "false", "timeout": 5}
    site.write()
    assert "step 6, command, is another one by now" in site.call(verify, str(BUILD)).stdout
    site.bench.close()
