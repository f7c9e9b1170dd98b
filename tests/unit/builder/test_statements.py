"""What a builder states of what it makes: drafted, completed, signed, and finished by others."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.build import stating
from builder.build.hand_statement import Stating
from builder.build.release import Release, read_release, release_script
from builder.build.stating import FILES_MAX, STEPS_MAX, Making, draft
from remuda.config.images import SecretFrom
from remuda.config.trees import TreeEntry
from remuda.images.inventory import take
from remuda.images.statement import (
    EXTERNAL,
    INTERNAL,
    PREDICATE,
    TYPE,
    Statement,
    TooLargeError,
    decode_statement,
    encode_statement,
    of_doc,
    part_of,
    record_part,
)
from remuda.model import tags
from remuda.model.build import Base, Blame, BuildState, Why, encode_build
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId, ImageRecord, UploadId, Word, encode_image
from remuda.model.upload import Upload, UploadState
from remuda.signing import read_signing_key
from remuda.store import paths
from remuda.store.api import Delete, Set
from tests.support.signing import make_signing_key
from tests.support.statementschema import STATEMENT
from tests.unit.builder.handbench import BUILD, Bench, ran, recipe
from tests.unit.builder.makings import make, mishap

SECRET = "swordfish-and-more"


def stated(bench: Bench) -> Statement:
    """Return what is stated of the build."""
    stored = bench.others.read(paths.image_statement(BUILD))
    assert stored is not None
    return decode_statement(BUILD, stored.value)


def making(bench: Bench, *steps: dict[str, Any], **changes: Any) -> Making:
    """Return what is known of a build of these steps."""
    build = bench.put_build().value
    return Making(**{"build": build, "recipe": recipe(*steps), "installation": "inst", **changes})


def test_a_build_is_stated_in_the_transaction_that_makes_it_whole(bench: Bench) -> None:
    """Record and image carry the hash of it; it says who, from what, and how, and no secret."""
    bench.recipe = recipe(
        {"command": "make", "name": "fill", "secrets": ["TOKEN"]},
        {"packages": ["git"]},
        secrets={"TOKEN": SecretFrom(environment="TOKEN")},
    )
    bench.session.ends["packages"] = ran(output="git:amd64 1:2\nremuda-packages 1\n")
    bench.session.ends["release"] = ran(output='id debian\nversion "12"\npackages deb\n')

    make(bench, environ={"TOKEN": SECRET})

    build, found = bench.build().value, stated(bench)
    (image,) = bench.images.list_images()
    assert (build.state, build.statement) == (BuildState.BUILT, found.digest)
    assert image.properties[tags.STATEMENT] == found.digest
    assert found.complete
    jsonschema.validate(dict(found.doc), STATEMENT)
    (subject,) = found.doc["subject"]
    assert subject["digest"] == {"sha512": image.hash_value}
    assert part_of(found.doc, *INTERNAL, "record") == record_part(build)
    assert part_of(found.doc, *INTERNAL, "system") == {
        "id": "debian",
        "version": "12",
        "packages": "deb",
    }
    asked = part_of(found.doc, *EXTERNAL)
    assert [one["name"] for one in asked["steps"]] == ["fill", "packages"]
    assert asked["secrets"] == ["TOKEN"]
    assert part_of(found.doc, "predicate", "runDetails", "byproducts") == [
        {"name": "inventory", "digest": {"sha256": take([("git:amd64", "1:2")]).digest}}
    ]
    assert SECRET not in found.payload.decode()


def test_it_is_drafted_before_the_cloud_is_asked(bench: Bench) -> None:
    """Whoever finishes the build of a dead builder knows what it did."""
    seen: list[Statement] = []
    ask = bench.images.snapshot

    def asked(*words: Any, **more: Any) -> str:
        seen.append(stated(bench))
        assert bench.build().value.state is BuildState.SNAPSHOTTING
        return ask(*words, **more)

    bench.images.snapshot = asked  # type: ignore[method-assign]
    make(bench)

    (before,) = seen
    assert not before.complete
    assert before.doc["subject"] == []
    assert part_of(before.doc, *INTERNAL, "builder") == "b1"


def test_it_is_signed_with_the_key_that_is_configured(bench: Bench, tmp_path: Path) -> None:
    """The signature is of the very bytes, in DSSE's encoding."""
    key_file, _ = make_signing_key(tmp_path)
    make(bench, signing_key_file=str(key_file))

    found, key = stated(bench), read_signing_key(str(key_file)).public
    assert found.key == key.id
    assert found.signature is not None
    assert key.verifies(found.signature, found.signed)
    assert not key.verifies(found.signature, found.payload)


def test_a_key_that_cannot_be_used_is_found_before_anything_is_paid_for(
    bench: Bench, tmp_path: Path
) -> None:
    """Another builder may have it; nothing but the file's name is said."""
    make(bench, signing_key_file=str(tmp_path / "none"))

    found = mishap(bench)
    assert (found.step, found.blame) == ("signature", Blame.BUILDER)
    assert "none cannot be read" in found.message
    assert bench.nodes() == []


def test_it_says_whose_command_it_was(bench: Bench) -> None:
    """As far as the image's record says that."""
    word = Word(who="ada@host", why="now", at_s=5.0)
    path = paths.image("debian")
    bench.others.commit(
        [Set(path=path, data=encode_image(ImageRecord(name="debian", wanted=word)), version=-1)]
    )
    build = replace(bench.put_build().value, why=Why.COMMAND)
    stored = bench.build()
    bench.others.commit([Set(path=stored.path, data=encode_build(build), version=stored.version)])
    make(bench)

    wanted = part_of(stated(bench).doc, *EXTERNAL, "wanted")
    assert (wanted["who"], wanted["why"]) == ("ada@host", "now")
    assert wanted["at"] == "1970-01-01T00:00:05.000000Z"


def test_it_names_what_a_build_starts_from(bench: Bench) -> None:
    """A base by its hash, a parent by what is stated of it; what has none is named all the same."""
    base = Base(id="i-1", name="Debian 12", hash="sha512:00ff")
    parent = BuildId("base", 3)
    from_base = draft(making(bench, build=replace(bench.put_build().value, base=base)))
    from_parent = draft(
        making(bench, build=replace(bench.build().value, base=None, parent=parent), parent="ab")
    )
    older = draft(making(bench, build=replace(bench.build().value, base=None, parent=parent)))
    unhashed = draft(making(bench, build=replace(bench.build().value, base=Base(id="i"))))

    assert _inputs(from_base)[0] == {
        "name": "base: Debian 12",
        "uri": "urn:openstack:image:i-1",
        "digest": {"sha512": "00ff"},
    }
    assert _inputs(from_parent)[0] == {
        "name": "parent: base/3",
        "uri": "urn:remuda:inst:build:base/3",
        "digest": {"sha256": "ab"},
    }
    for found in (older, unhashed):
        assert sorted(_inputs(found)[0]) == ["name", "uri"]


def test_what_starts_from_the_current_build_names_no_base(bench: Bench) -> None:
    """Its record has the base that the current one came from, which this machine has not booted."""
    parent = BuildId(BUILD.image, 6)
    build = replace(bench.put_build().value, base=Base(id="i-1", name="Debian 12"), parent=parent)

    names = [one["name"] for one in _inputs(draft(making(bench, build=build)))]
    assert names[0] == f"parent: {parent}"
    assert not [one for one in names if one.startswith("base")]


def _inputs(found: Statement) -> list[Any]:
    inputs = part_of(found.doc, "predicate", "buildDefinition", "resolvedDependencies")
    assert isinstance(inputs, list)
    return inputs


def test_each_script_and_file_is_named_by_its_hash(bench: Bench) -> None:
    """Files by where they come to lie; folders and links are no files."""
    tree = (
        TreeEntry(path="", mode=0o40755),
        TreeEntry(path="a/b", mode=0o100644, size=1, content="0" * 64),
        TreeEntry(path="link", mode=0o120000, content="a"),
    )
    found = draft(
        making(
            bench,
            {"script": {"inline": "true\n"}, "name": "one"},
            {"copy": {"from": "/etc/x", "to": "/opt/x"}},
            trees={"/etc/x": tree},
        )
    )

    names = [one["name"] for one in _inputs(found)]
    assert names[1:] == ["step 1: one", "step 2: /opt/x/a/b"]
    assert _inputs(found)[2]["digest"] == {"sha256": "0" * 64}


def test_what_is_too_much_to_be_listed_is_left_out(bench: Bench) -> None:
    """Also if all names are as long as can be; the hashes of steps cover it."""
    tree = tuple(
        TreeEntry(path=f"{number:05d}" + "ü" * 200, mode=0o100644, content=f"{number:064x}")
        for number in range(FILES_MAX + 5)
    )
    packages = [f"{'p' * 180}{number}" for number in range(FILES_MAX)]
    steps = [{"copy": {"from": "/x", "to": "/x"}}, *[{"packages": packages}] * (STEPS_MAX + 3)]
    large = making(bench, *steps, trees={"/x": tree})
    with pytest.raises(TooLargeError):
        encode_statement(draft(large))
    stored = bench.build()
    write = Stating(store=bench.store).draft(large)
    bench.others.commit([write])
    found = stated(bench)

    assert stored.value.state is BuildState.BUILDING
    assert part_of(found.doc, *EXTERNAL, "leftOut") == 4
    assert len(part_of(found.doc, *EXTERNAL, "steps")) == STEPS_MAX
    assert len(_inputs(draft(making(bench, steps[0], trees={"/x": tree})))) == FILES_MAX + 1


@pytest.mark.parametrize("gone", ["gone", "broken", "no parameters"])
def test_a_build_whose_draft_is_lost_is_whole_all_the_same(bench: Bench, gone: str) -> None:
    """Nothing is stated of it, and nothing in the cloud says so."""
    broken = {
        "broken": b"x",
        "no parameters": encode_statement(of_doc({"_type": TYPE, "predicateType": PREDICATE})),
    }

    def lose(*words: Any, **more: Any) -> str:
        path = paths.image_statement(BUILD)
        stored = bench.others.read(path)
        assert stored is not None
        if gone == "gone":
            bench.others.commit([Delete(path=path)])
        else:
            bench.others.commit([Set(path=path, data=broken[gone], version=stored.version)])
        return ask(*words, **more)

    ask = bench.images.snapshot
    bench.images.snapshot = lose  # type: ignore[method-assign]
    make(bench)

    build = bench.build().value
    (image,) = bench.images.list_images()
    assert (build.state, build.statement) == (BuildState.BUILT, None)
    assert tags.STATEMENT not in image.properties
    assert "nothing is stated of it" in bench.log.text


def test_what_is_completed_is_of_this_snapshot(bench: Bench) -> None:
    """By the id alone, where a cloud has no hash; which passes for none."""
    drafted = draft(making(bench))
    build = replace(bench.build().value, ended_s=9.0, snapshot="i-9")
    upload = Upload(
        id=UploadId(BUILD, "a" * 12), state=UploadState.STORED, since_s=9.0, cloud_image="i-9"
    )
    whole = stating.completed(drafted, build, upload)

    assert whole.doc["subject"][0]["digest"] == {"glanceImageId": "i-9"}
    assert drafted.doc["subject"] == []
    jsonschema.validate(dict(whole.doc), STATEMENT)


@pytest.mark.parametrize(
    ("output", "release"),
    [
        ("", Release()),
        (
            "id debian\nversion '12'\npackages deb\n",
            Release(id="debian", version="12", packages="deb"),
        ),
        ("id a\nid b\nversion \x1b[2J\npackages\n", Release()),
        (f"id {'x' * 65}\n", Release()),
    ],
)
def test_a_machine_says_which_system_it_runs(output: str, release: Release) -> None:
    """In plain words, or not at all."""
    assert read_release(output) == release


@given(st.text(max_size=300))
def test_no_machine_says_more_than_words(output: str) -> None:
    """It is text of strangers."""
    found = read_release(output).doc()

    assert all(value.isascii() and len(value) <= 64 for value in found.values())


def test_the_script_runs_on_this_host() -> None:
    """Whatever it is."""
    done = subprocess.run(
        ["/bin/sh", "-c", release_script().text], capture_output=True, text=True, check=True
    )
    assert read_release(done.stdout).id


def test_a_draft_has_to_be_one() -> None:
    """Nobody completes what no builder has written."""
    with pytest.raises(CorruptRecordError):
        stating.check_draft(of_doc({"_type": TYPE, "predicateType": PREDICATE}))


ODD = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda one: st.lists(one, max_size=2) | st.dictionaries(st.text(max_size=5), one, max_size=2),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ODD, st.sampled_from(["predicate", "buildDefinition", "runDetails", "metadata", "inner"]))
def test_no_draft_of_strangers_ends_a_builder(bench: Bench, odd: Any, where: str) -> None:
    """It is completed, or nothing is stated."""
    parts: dict[str, Any] = {"inner": {}, "metadata": {}}
    parts[where] = odd
    run = parts.get("runDetails", {"metadata": parts["metadata"]})
    definition = parts.get("buildDefinition", {"internalParameters": parts["inner"]})
    predicate = parts.get("predicate", {"buildDefinition": definition, "runDetails": run})
    drafted = of_doc({"_type": TYPE, "predicateType": PREDICATE, "predicate": predicate})
    build = bench.put_build().value
    bench.others.ensure(paths.image_statement(BUILD))
    path = paths.image_statement(BUILD)
    bench.others.commit([Set(path=path, data=encode_statement(drafted), version=-1)])
    upload = Upload(id=UploadId(BUILD, "a" * 12), state=UploadState.STORED, since_s=9.0)

    found = Stating(store=bench.store).complete(build, upload)
    assert found is None or len(found.digest) == 64
