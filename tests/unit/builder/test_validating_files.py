"""Proving what a command has written: two machines, for no machine was filled."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from remuda.model.build import Blame
from remuda.model.builtfile import BuiltFile
from remuda.model.upload import UploadState
from remuda.store import paths
from tests.fakes.prover import FakeProver, Machine
from tests.unit.builder.filebench import file_recipe
from tests.unit.builder.handbench import ADDRESS, PROVIDER, Bench, ran, report
from tests.unit.builder.trials import clone, image, validate

FILE = BuiltFile(
    sha256="a" * 64, sha512="b" * 128, size_bytes=512, virtual_bytes=512, disk_format="raw"
)
FIRST = "f" * 32


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Everything in memory, with an image that a cloud has; a first machine says who it is."""
    one = Bench(tmp_path)
    one.put_build(file=FILE, base=None)
    one.recipe = file_recipe()
    said = report("identity", f"identity\t-\t{json.dumps({'machine_id': FIRST})}")
    one.session.ends = {"identity": ran(output=said)}
    yield one
    one.close()


def prover(bench: Bench, machine_id: str) -> FakeProver:
    """Return what proves the second machine, which has this id."""
    exits = {"identity": clone(machine_id=machine_id)}
    return FakeProver({ADDRESS: Machine(exits=exits)}, clock=bench.clock)


def test_two_machines_of_a_file_are_compared(bench: Bench) -> None:
    """One after the other: the first one is gone when the second is asked for."""
    asked: list[int] = []

    def give(name: str) -> None:
        asked.append(len(bench.launcher.store.children(paths.REQUESTS)))
        bench.give(name)

    bench.serve = give
    assert validate(bench, prover(bench, "c" * 32)).why is None
    assert bench.upload().value.state is UploadState.USABLE
    assert asked == [1, 1]
    assert [one.name for one in bench.session.scripts] == ["identity"]
    assert bench.log.steps.index("first login") < bench.log.steps.index("candidate")


def test_what_both_have_they_have_from_the_file(bench: Bench) -> None:
    """Each machine of a label would have the same."""
    bench.put_upload(image(bench))
    found = validate(bench, prover(bench, FIRST))
    assert found.why is not None
    upload = bench.upload().value
    assert upload.mishap is None or upload.mishap.blame is Blame.RESIDUE
    assert upload.state is UploadState.STORED
    said = upload.trials[PROVIDER].said or ""
    assert "machine" in said
    # Once more, with two other machines; then it is rejected there.
    bench.put_upload(upload.cloud_image or "", trials=upload.trials)
    validate(bench, prover(bench, FIRST))
    assert bench.upload().value.state is UploadState.REJECTED


def test_a_first_machine_that_does_not_say_who_it_is_proves_nothing(bench: Bench) -> None:
    """With nothing to compare with, a bad file would pass."""
    bench.session.ends = {"identity": ran("broken", "", code=1)}
    found = validate(bench, prover(bench, "c" * 32))
    assert found.why is not None
    assert bench.upload().value.state is not UploadState.USABLE
