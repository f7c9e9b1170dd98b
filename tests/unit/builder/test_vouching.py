"""A machine is used only if its launch and its cloud say that it was made for our request."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.quiet.identity import Identity, flat_identity
from remuda.config.images import SecretFrom
from remuda.model.build import Blame, BuildState
from remuda.model.upload import TrialResult
from remuda.store import paths
from remuda.store.api import Delete
from tests.fakes.prover import FakeProver, Machine
from tests.unit.builder.handbench import ADDRESS, PROVIDER, Bench, recipe
from tests.unit.builder.makings import make, mishap
from tests.unit.builder.trials import clone, validate

MADE_ON = Identity(machine_id="m" * 32, host_keys=("0" * 64,))
STRANGER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnotherKeyOfAMachineOfSomebodyElse00000000"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Everything in memory."""
    one = Bench(tmp_path)
    yield one
    one.close()


def give(bench: Bench, launched: dict[str, Any] | None = None, **fields: Any) -> None:
    """Fulfil the next request so."""

    def serve(name: str) -> None:
        bench.give(name, launched, **fields)

    bench.serve = serve


def refused(bench: Bench, why: str) -> None:
    """Make sure that a build comes to nothing, and the server meets nothing of it."""
    make(bench)

    assert mishap(bench).blame is Blame.BUILDER
    assert why in mishap(bench).message
    assert (bench.logins, bench.session.scripts) == ([], [])
    assert "stop_server" not in bench.cloud.calls
    assert bench.images.snapshots == []


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ({"external_id": "of-a-stranger"}, "another server"),
        ({"interface_ip": "127.66.6.6"}, "another address"),
        ({"host_keys": [STRANGER]}, "other host keys"),
    ],
)
def test_a_forged_node_is_left_alone(bench: Bench, forged: dict[str, Any], why: str) -> None:
    """Others may write the records of nodes."""
    give(bench, **forged)

    refused(bench, why)


@pytest.mark.parametrize(
    ("launched", "why"),
    [
        ({"for_request": None}, "not launched for our request"),
        ({"for_request": "900-0-0000000001"}, "not launched for our request"),
        ({"label": "small"}, "not launched for our request"),
        ({"image_build": "debian/3", "image_place": "a" * 12}, "launched from debian/3"),
        ({"host_key": None}, "no host key"),
        ({"login_key": f"ssh-ed25519 {'A' * 68}"}, "another login key"),
        ({"login_key": None}, "another login key"),
        ({"tags": {}}, "does not have its tags"),
    ],
)
def test_a_strangers_node_is_left_alone(bench: Bench, launched: dict[str, Any], why: str) -> None:
    """Others may write requests, too: what fulfils ours need not be made for it."""
    give(bench, launched)

    refused(bench, why)


def test_a_node_without_a_launch_is_left_alone(bench: Bench) -> None:
    """Somebody made it up."""

    def serve(name: str) -> None:
        node = bench.give(name)
        bench.others.commit([Delete(path=paths.launch(PROVIDER, node))])

    bench.serve = serve

    refused(bench, "was not launched")


def test_a_server_that_names_another_node_is_left_alone(bench: Bench) -> None:
    """A launch and a node that were swapped."""

    def serve(name: str) -> None:
        server = bench.cloud.add_stranger()
        bench.give(name, {"server": server}, external_id=server)

    bench.serve = serve

    refused(bench, "does not have its tags")


@pytest.mark.parametrize("recorded", [None, ADDRESS])
def test_an_address_that_the_cloud_does_not_show_is_not_believed(
    bench: Bench, recorded: str | None
) -> None:
    """An old launch does not say where its machine was proven."""
    bench.cloud.shows = "198.51.100.9"
    give(bench, {"address": recorded})

    refused(bench, "does not have the address")


def test_an_old_launch_has_the_address_that_the_cloud_shows(bench: Bench) -> None:
    """The node's, for it is the same."""
    give(bench, {"address": None})

    assert make(bench).why is None
    assert [one.address for one in bench.logins] == [ADDRESS]


def test_secrets_are_told_only_to_a_machine_whose_key_is_known(bench: Bench) -> None:
    """Whoever answers first gives a scanned key."""
    source = SecretFrom.model_validate({"environment": "TOKEN"})
    bench.recipe = recipe({"command": "make", "secrets": ["token"]}, secrets={"token": source})
    give(bench, {"host_keys": "scan", "host_key": None})

    make(bench, environ={"TOKEN": "Correct-Horse-Battery-9"})

    assert mishap(bench).blame is Blame.RECIPE
    assert "host-keys: inject" in mishap(bench).message
    assert bench.logins == []


def test_a_machine_with_a_scanned_key_may_be_made_without_secrets(bench: Bench) -> None:
    """Nothing is lost to whoever answers."""
    give(bench, {"host_keys": "scan", "host_key": None})

    assert make(bench).why is None
    assert bench.build().value.state is BuildState.BUILT


def test_a_candidate_that_boots_another_image_proves_nothing(bench: Bench) -> None:
    """Whatever its records say: the cloud tells what it boots."""

    def give(name: str) -> None:
        bench.give(name)
        bench.cloud.booted.clear()

    bench.serve = give
    bench.put_build(identity=flat_identity(MADE_ON, STRANGER))
    prover = FakeProver({ADDRESS: Machine(exits={"identity": clone()})}, clock=bench.clock)
    ended = validate(bench, prover)

    assert ended.why is not None
    assert "boots image" in ended.why
    trial = bench.upload().value.trials[PROVIDER]
    assert (trial.failures, trial.result) == (0, TrialResult.OPEN)
