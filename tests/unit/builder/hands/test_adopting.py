"""A snapshot whose builder died is treated as any other, before it counts as whole."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.build.actions import KeepSnapshot
from builder.build.events import AdoptionEnded
from builder.build.hand_adopt import AdoptAtSite, AdoptingHand
from builder.build.stating import Making, draft
from builder.policy import ImagePolicy
from remuda.cloud.api import BadOrderError, TryLaterError
from remuda.cloud.image_store import ImageEdit, StoredImage
from remuda.images.statement import (
    INTERNAL,
    decode_statement,
    encode_statement,
    part_of,
    record_part,
)
from remuda.model import tags
from remuda.model.build import Blame, Build, BuildState, Mishap, decode_build, encode_build
from remuda.model.builtfile import BuiltFile
from remuda.model.ids import ReplicaId
from remuda.model.image import UploadId
from remuda.model.upload import UploadState
from remuda.store import paths
from remuda.store.api import Set, Stored
from tests.support.signing import make_signing_key
from tests.unit.builder.handbench import PROVIDER, recipe
from tests.unit.builder.hands.clouds import BUILD, INSTALLATION, Setting

ME = ReplicaId("me")
POLICY = ImagePolicy(image=BUILD.image, fingerprint="f", groups=(("pa",),), attempts_max=2)


def stored(setting: Setting) -> Stored[Build]:
    """Return the build as it is on record."""
    raw = setting.store.read(paths.build(BUILD))
    assert raw is not None
    return Stored(path=raw.path, value=decode_build(BUILD, raw.value), version=raw.version)


def snapshot(setting: Setting, **more: Any) -> StoredImage:
    """Put a build on record whose builder died, and its snapshot into the cloud."""
    setting.build(
        state=BuildState.SNAPSHOTTING,
        place=setting.place("pa"),
        owner=ReplicaId("dead"),
        cloud_name="ours-1",
    )
    properties = {**setting.tags("pa", "ours-1"), "owner_specified.x": "y", "os_distro": "debian"}
    return setting.image("pa", hidden=False, properties=properties, **more)


def adopt(
    setting: Setting,
    image: StoredImage,
    build: Stored[Build] | None = None,
    *,
    signing_key_file: str | None = None,
    policy: ImagePolicy | None = None,
) -> AdoptionEnded:
    """Finish the build."""
    action = KeepSnapshot(id=BUILD, snapshot=image.id, also=(setting.place("pc"),))
    order = AdoptAtSite(
        action=action,
        build=build or stored(setting),
        policy=policy,
        here=setting.sites["pa"],
        me=ME,
        signing_key_file=signing_key_file,
    )
    return AdoptingHand(setting.store, setting.clock, INSTALLATION).adopt(order)


def test_it_is_hidden_trimmed_and_recorded_as_a_whole_image(setting: Setting) -> None:
    """As if its builder had lived."""
    image = snapshot(setting)

    assert adopt(setting, image).why is None

    seen = setting.images["pa"].get_image(image.id)
    assert seen.hidden
    assert "owner_specified.x" not in seen.properties
    assert seen.properties["os_distro"] == "debian"
    build, upload = stored(setting).value, setting.now("pa")
    assert (build.state, build.snapshot, build.owner) == (BuildState.BUILT, image.id, None)
    assert (upload.state, upload.cloud_image) == (UploadState.STORED, image.id)
    assert upload.size_bytes == seen.size_bytes
    assert upload.min_disk_gib == 2
    assert upload.os_hash == f"sha512:{seen.hash_value}"
    other = setting.stored(UploadId(BUILD, setting.place("pc"))).value
    assert other.state is UploadState.PENDING


@pytest.mark.parametrize("error", [TryLaterError("busy"), BadOrderError("no such field")])
def test_one_that_cannot_be_hidden_is_not_kept_yet(setting: Setting, error: Exception) -> None:
    """It is tried again."""
    image = snapshot(setting)
    setting.clouds["pa"].fail("edit_image", error)

    assert adopt(setting, image).why == str(error)
    assert stored(setting).value.state is BuildState.SNAPSHOTTING
    assert adopt(setting, image).why is None


def test_one_without_data_becomes_no_image(setting: Setting) -> None:
    """The recipe is to blame, as it is when its builder lives."""
    image = snapshot(setting)
    get = setting.images["pa"].get_image
    setting.images["pa"].get_image = (  # type: ignore[method-assign]
        lambda one: replace(get(one), size_bytes=0)
    )

    assert "no data" in (adopt(setting, image).why or "")

    build = stored(setting).value
    assert build.state is BuildState.FAILED
    assert build.mishap is not None
    assert build.mishap.blame is Blame.RECIPE


def test_one_that_is_not_ours_is_left_alone(setting: Setting) -> None:
    """Whatever a listing said."""
    image = snapshot(setting)
    setting.build(
        state=BuildState.SNAPSHOTTING, place=setting.place("pa"), cloud_name="another name"
    )

    assert "has not the tags" in (adopt(setting, image).why or "")
    assert not setting.images["pa"].get_image(image.id).hidden


def test_a_build_that_somebody_else_has_finished_stays_as_it_is(setting: Setting) -> None:
    """Its record has moved on."""
    image, build = snapshot(setting), stored(setting)
    setting.store.commit([Set(path=build.path, data=b"{}", version=build.version)])

    assert adopt(setting, image, build).why is not None
    assert setting.store.read(paths.upload(setting.id("pa"))) is None


def drafted(setting: Setting) -> None:
    """Put what the dead builder has stated beside the build's log."""
    build = stored(setting).value
    making = Making(build=build, recipe=recipe(), installation=INSTALLATION)
    making = replace(making, build=replace(build, provider=PROVIDER))
    setting.put(paths.image_statement(BUILD), encode_statement(draft(making)))


def test_what_its_builder_stated_is_completed_and_signed(setting: Setting, tmp_path: Path) -> None:
    """In the transaction that makes it whole; the image carries the hash, and no other's."""
    image = snapshot(setting)
    drafted(setting)
    setting.images["pa"].edit_image(image.id, ImageEdit(properties={tags.STATEMENT: "another"}))
    file, _ = make_signing_key(tmp_path)

    assert adopt(setting, image, signing_key_file=str(file)).why is None

    raw = setting.store.read(paths.image_statement(BUILD))
    assert raw is not None
    found, build = decode_statement(BUILD, raw.value), stored(setting).value
    assert found.complete
    assert found.signature is not None
    assert build.statement == found.digest
    assert part_of(found.doc, *INTERNAL, "record") == record_part(build)
    seen = setting.images["pa"].get_image(image.id)
    assert seen.properties[tags.STATEMENT] == found.digest


def test_one_of_an_older_builder_is_kept_without_a_statement(setting: Setting) -> None:
    """An image that works is not thrown away for its papers; nothing inherited passes for one."""
    image = snapshot(setting)
    setting.images["pa"].edit_image(image.id, ImageEdit(properties={tags.STATEMENT: "another"}))

    assert adopt(setting, image).why is None

    assert stored(setting).value.statement is None
    assert tags.STATEMENT not in setting.images["pa"].get_image(image.id).properties


def test_who_can_sign_keeps_it_however_late(setting: Setting, tmp_path: Path) -> None:
    """All builders may have been down for long; the snapshot is none the worse."""
    image = snapshot(setting)
    setting.clock.advance(1e6)
    key, _ = make_signing_key(tmp_path)

    assert adopt(setting, image, signing_key_file=str(key)).why is None
    assert stored(setting).value.state is BuildState.BUILT


def test_who_cannot_sign_hands_it_over_at_once(setting: Setting, tmp_path: Path) -> None:
    """Says so on record, with the reason; the snapshot stays, and whoever can sign keeps it."""
    image = snapshot(setting)
    said = "key file /nowhere cannot be read: No such file or directory"

    assert adopt(setting, image, signing_key_file="/nowhere").why == said

    build = stored(setting).value
    assert (build.state, build.owner, build.statement) == (BuildState.SNAPSHOTTING, None, None)
    assert build.cannot_sign == (ME,)
    assert build.mishap == Mishap(step="signature", blame=Blame.BUILDER, message=said)

    # Asked once more, it has nothing new to say.
    version = stored(setting).version
    assert adopt(setting, image, signing_key_file="/nowhere").why == said
    assert stored(setting).version == version

    key, _ = make_signing_key(tmp_path)
    assert adopt(setting, image, signing_key_file=str(key)).why is None
    build = stored(setting).value
    assert (build.state, build.cannot_sign, build.mishap) == (BuildState.BUILT, (), None)


def test_a_hand_over_that_is_not_written_is_none(setting: Setting) -> None:
    """Somebody else has written to the build: that one is judged anew."""
    image = snapshot(setting)
    before = stored(setting)
    setting.store.commit([Set(path=before.path, data=b"{}", version=before.version)])

    why = adopt(setting, image, before, signing_key_file="/nowhere").why

    assert why is not None
    assert "; not written: " in why


def file_of(image: StoredImage, **changes: Any) -> BuiltFile:
    """Return the file that an image is made of."""
    known = {
        "sha256": "a" * 64,
        "sha512": image.hash_value,
        "size_bytes": image.size_bytes,
        "virtual_bytes": 512,
        "disk_format": "raw",
        **changes,
    }
    return BuiltFile(**known)  # type: ignore[arg-type]


def write_file(setting: Setting, file: BuiltFile) -> None:
    """Put on record what the dead builder had sent."""
    known = stored(setting)
    after = encode_build(replace(known.value, file=file))
    setting.store.commit([Set(path=known.path, data=after, version=known.version)])


def test_a_file_that_came_whole_is_kept_with_its_hash(setting: Setting) -> None:
    """The cloud's own hash shows that it is that file."""
    image = snapshot(setting)
    write_file(setting, file_of(image))

    assert adopt(setting, image).why is None

    upload = setting.now("pa")
    assert (upload.sha256, upload.carried_sha512) == ("a" * 64, image.hash_value)
    assert stored(setting).value.state is BuildState.BUILT


@pytest.mark.parametrize("changes", [{"sha512": "c" * 128}, {"size_bytes": 7}])
def test_what_is_not_shown_to_be_the_file_begins_anew(
    setting: Setting, changes: dict[str, Any]
) -> None:
    """No verdict on the image, and nothing that somebody else has put there."""
    image = snapshot(setting)
    write_file(setting, file_of(image, **changes))

    assert "does not show that it has the file" in (adopt(setting, image).why or "")

    build = stored(setting).value
    assert build.mishap is not None
    assert build.mishap.blame is Blame.BUILDER
    assert build.state is not BuildState.BUILT
    assert build.file is None or build.state is BuildState.FAILED
