"""What is stated of a build, against a real builder, cloud and ZooKeeper: one change, and it fails.

The signature is verified by openssl as well, which knows nothing of us.
"""

import base64
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click.testing import CliRunner, Result

from remuda.cli.context import CommandContext
from remuda.cli.main import main
from remuda.cloud.account import AccountSettings
from remuda.cloud.image_store import ImageEdit
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.model.image import BuildId
from remuda.runtime.clock import SystemClock
from remuda.store import paths
from tests.support.processes import Process
from tests.support.stage import Doc, Stage, open_stage

pytestmark = pytest.mark.e2e

#: A build is a machine, its snapshot, and a machine that proves it.
BUILD_S: Final = 90.0
BUILD: Final = BuildId("base", 1)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud and a build of an image that is current, by a builder that signs."""
    with open_stage(tmp_path_factory, "provenance") as stage:
        stage.cloud("a", system="minimal")
        stage.provider("alpha", "a")
        make_keys(stage.folder)
        script = stage.folder / "fill.sh"
        script.write_text("#!/bin/sh\necho filled >/srv/filled\n")
        stage.config["image-signing"] = {
            "key-file": "signing.pem",
            "public-key-file": "signing.pub",
        }
        step = {"name": "fill", "script": {"file": "fill.sh"}, "timeout": 20, "as-root": True}
        stage.config["images"] = {
            "base": {"base": "debian-12", "flavor": "m1.small", "steps": [step]}
        }
        stage.launcher("alpha")
        process = Process.python(
            "builder",
            "builder",
            *("--config", str(stage.write()), "--log-format", "json"),
            log=stage.folder / "builder.log",
            env={"TMPDIR": str(stage.folder)},
        )
        stage.processes.append(process)
        stage.until(lambda: current(stage), "the build to become current", BUILD_S)
        # What tests change in its records would be a reason to build another one.
        process.signal(signal.SIGTERM)
        stage.until(lambda: not process.alive, "the builder to end")
        yield stage


def make_keys(folder: Path) -> None:
    """Make a pair of keys as the documentation says it."""
    openssl = shutil.which("openssl")
    assert openssl is not None, "the tests need openssl"
    private, public = folder / "signing.pem", folder / "signing.pub"
    for words in (
        ("genpkey", "-algorithm", "ed25519", "-out", private),
        ("pkey", "-in", private, "-pubout", "-out", public),
    ):
        subprocess.run([openssl, *words], check=True, capture_output=True)
    private.chmod(0o600)


def state(stage: Stage, cloud: str, image_id: str, digest: str) -> None:
    """Have an image in a cloud say that something of this hash is stated of it."""
    account = AccountSettings(
        cloud=f"cloud-{cloud}", region=None, clouds_file=str(stage.folder / "clouds.yaml")
    )
    owner = tags.Owner(installation="x", provider=ProviderName("alpha"))
    settings = CloudSettings(account=account, owner=owner, rate_per_s=100.0)
    made = OpenStackCloud(settings, clock=SystemClock())
    edit = ImageEdit(properties={tags.STATEMENT: digest})
    made.image_store().edit_image(image_id, edit)
    made.close()


def current(stage: Stage) -> Doc | None:
    """Return the pointer once it names the build."""
    found = stage.read(paths.pointer("base", "alpha"))
    return found if found is not None and found["current"] == BUILD.number else None


def remuda(stage: Stage, *words: str, config: Path | None = None) -> Result:
    """Run a command as from a shell."""
    hosts = ",".join(stage.hosts) + stage.chroot
    context = CommandContext(zookeeper=hosts, config=config or stage.folder / "remuda.yaml")
    return CliRunner().invoke(main, list(words), obj=context)


def wrong(stage: Stage, *words: str, config: Path | None = None) -> set[tuple[str, str | None]]:
    """Return of what, and where, `verify` finds something else; it must say so in its exit code."""
    result = remuda(stage, "image", "verify", str(BUILD), "--json", *words, config=config)
    doc = json.loads(result.stdout)
    found = {(one["of"], one["where"]) for one in doc["compared"] if one["result"] == "differs"}
    assert result.exit_code == (1 if found else 0), result.output
    assert doc["verified"] is not bool(found)
    return found


def test_a_build_is_what_is_stated_of_it(stage: Stage) -> None:
    """Every comparison can be made, and none differs."""
    result = remuda(stage, "image", "verify", str(BUILD), "--json")
    findings = json.loads(result.stdout)["compared"]

    assert result.exit_code == 0, result.output
    assert {one["result"] for one in findings} == {"same"}, findings
    assert {one["of"] for one in findings} == {
        *("record", "inventory", "signature", "script", "image", "property")
    }


def test_openssl_verifies_the_signature(stage: Stage, tmp_path: Path) -> None:
    """Of the envelope as it is printed, in DSSE's encoding."""
    printed = remuda(stage, "image", "provenance", str(BUILD), "--envelope")
    envelope = json.loads(printed.stdout)
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    message, signature = tmp_path / "message", tmp_path / "signature"
    message.write_bytes(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    signature.write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))

    def verifies() -> bool:
        words = ("-verify", "-pubin", "-inkey", stage.folder / "signing.pub", "-rawin")
        more = ("-in", message, "-sigfile", signature)
        done = subprocess.run(
            [shutil.which("openssl") or "", "pkeyutl", *words, *more],
            check=False,
            capture_output=True,
        )
        return done.returncode == 0

    assert verifies()
    message.write_bytes(message.read_bytes().replace(b"fill", b"Fill"))
    assert not verifies()


def test_the_bill_of_materials_has_the_packages_of_the_machine(stage: Stage) -> None:
    """By the words that scanners look up."""
    bill = json.loads(remuda(stage, "image", "provenance", str(BUILD), "--sbom").stdout)
    named = [one["purl"] for one in bill["components"] if "purl" in one]

    assert any(one.startswith("pkg:deb/debian/dpkg@") for one in named), named[:3]


def test_a_property_that_somebody_changes_is_found(stage: Stage) -> None:
    """By the cloud's own API."""
    record = stage.read(paths.build(BUILD))
    assert record is not None
    state(stage, "a", record["snapshot"], "0" * 64)
    assert wrong(stage) == {("property", "alpha")}
    state(stage, "a", record["snapshot"], record["statement"])
    assert wrong(stage) == set()


def test_a_record_that_somebody_changes_is_found(stage: Stage) -> None:
    """The build's, and the statement itself."""
    for path, change, of in (
        (paths.build(BUILD), lambda raw: raw.replace(b'"why":"', b'"why":"x'), {"record"}),
        (paths.build(BUILD), _another_recipe, {"record"}),
        (paths.image_statement(BUILD), lambda raw: raw[:-1], {"record"}),
    ):
        before, _ = stage.zk.get(stage.chroot + path)
        stage.zk.set(stage.chroot + path, change(before))
        found = {of for of, _ in wrong(stage)}
        stage.zk.set(stage.chroot + path, before)
        assert found == of
    assert wrong(stage) == set()


def _another_recipe(raw: bytes) -> bytes:
    doc: dict[str, Any] = json.loads(raw)
    doc["fingerprint"] = "0" * 64
    return json.dumps(doc).encode()


def test_a_script_that_somebody_changes_is_found(stage: Stage, tmp_path: Path) -> None:
    """Beside the builder's own configuration, which would make another build of it at once."""
    (tmp_path / "fill.sh").write_text("#!/bin/sh\necho other >/srv/filled\n")
    config = dict(stage.config)
    config["clouds-file"] = str(stage.folder / "clouds.yaml")
    names = ("signing.pem", "signing.pub")
    keys = dict(zip(("key-file", "public-key-file"), names, strict=True))
    config["image-signing"] = {key: str(stage.folder / name) for key, name in keys.items()}
    other = tmp_path / "remuda.yaml"
    other.write_text(yaml.safe_dump(config))

    assert wrong(stage, config=other) == {("script", None)}
    assert wrong(stage, "--any-recipe", config=other) == set()
