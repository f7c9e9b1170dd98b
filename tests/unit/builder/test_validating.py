"""The hand that proves a candidate: what it looks for, whose failure each end is, and takeovers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.quiet.identity import Identity, flat_identity
from builder.upload.events import TrialEnded
from remuda.cloud.api import CloudError, Server, TryLaterError
from remuda.config.images import SecretFrom
from remuda.config.parts import CheckFrom
from remuda.model.capsule import Capsule, encode_capsule
from remuda.model.imageask import ImageUse
from remuda.model.upload import TrialResult, Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Create, Set
from tests.fakes.prover import Exit, FakeProver, Machine
from tests.unit.builder.handbench import ADDRESS, ME, OTHER, PROVIDER, UPLOAD, Bench, recipe
from tests.unit.builder.trials import PATH, clone, image, validate

LOGIN_KEY = "ssh-ed25519 " + "B" * 68
MADE_ON = Identity(machine_id="m" * 32, host_keys=("0" * 64,))
CHECK = CheckFrom.model_validate({"name": "disk", "script": {"inline": "df"}})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Everything in memory, with an image that a cloud has."""
    one = Bench(tmp_path)
    one.put_build(identity=flat_identity(MADE_ON, LOGIN_KEY))
    one.recipe = recipe({"command": "make"}, checks=(CHECK,))
    yield one
    one.close()


@pytest.fixture
def prover(bench: Bench) -> FakeProver:
    """A good clone."""
    return FakeProver({ADDRESS: Machine(exits={"identity": clone()})}, clock=bench.clock)


def on_hosts(bench: Bench, *hosts: str) -> None:
    """Let machines run on these hosts, in order."""
    get, left = bench.cloud.get_server, list(hosts)

    def seen(server: Any) -> Server:
        return replace(get(server), host_id=left.pop(0))

    bench.cloud.get_server = seen  # type: ignore[method-assign]


def test_a_candidate_that_passes_is_proven_in_its_provider(
    bench: Bench, prover: FakeProver
) -> None:
    """The request names the upload; the recipe's checks and the labels' are run."""
    asked = []

    def give(name: str) -> None:
        asked.append(bench.launcher.read_request(name))
        bench.give(name)

    bench.serve = give
    ended = validate(bench, prover, checks=(CHECK.model_copy(update={"name": "of a label"}),))

    assert ended == TrialEnded(id=UPLOAD, provider=PROVIDER)
    upload = bench.upload().value
    assert upload.state is UploadState.USABLE
    assert upload.passed(PROVIDER)
    times = upload.trials[PROVIDER].times
    assert times is not None
    assert [name for name, _ in times.checks] == ["identity", "disk", "of a label"]
    assert times.boot_s is None  # its launch does not say since when it runs
    assert (upload.owner, upload.trying) == (None, None)
    (request,) = asked
    assert request.labels == ("prove/debian",)
    assert request.image is not None
    assert (request.image.use, request.image.upload) == (ImageUse.PROVE, UPLOAD)
    (order,) = prover.orders
    assert [one.name for one in order.checks] == ["identity", "disk", "of a label"]
    assert (order.login.user, order.login.address) == ("debian", ADDRESS)
    assert order.login.key_file is not None
    assert request.image.login_key not in {None, LOGIN_KEY}


def test_how_long_it_took_to_boot_is_on_record(bench: Bench, prover: FakeProver) -> None:
    """From when its launcher saw it running; clocks that differ make no time negative."""
    booted = []
    for ago_s in (7.0, -7.0):
        bench.put_upload(image(bench))
        bench.serve = lambda name, ago_s=ago_s: bench.give(  # type: ignore[misc]
            name, {"active_s": bench.clock.now_s() + bench.cloud.boot_s - ago_s}
        )
        validate(bench, prover)
        times = bench.upload().value.trials[PROVIDER].times
        assert times is not None
        booted.append(times.boot_s or 0.0)

    assert 7.0 <= booted[0] < 9.0
    assert booted[1] == 0.0


def test_the_clone_is_looked_at_for_the_key_of_the_build_alone(
    bench: Bench, prover: FakeProver, tmp_path: Path
) -> None:
    """The launcher's opens all of its machines, and ours this one; secrets are looked for, too."""
    (tmp_path / "token").write_text("swordfish-and-more")
    bench.recipe = recipe(
        {"command": "make", "secrets": ["TOKEN"]},
        secrets={"TOKEN": SecretFrom(file=str(tmp_path / "token"))},
    )

    validate(bench, prover)

    environment = dict(prover.orders[0].checks[0].environment)
    assert environment["REMUDA_LOGIN_KEYS"] == LOGIN_KEY.split()[1]
    assert "swordfish-and-more" in "".join(environment["REMUDA_NEEDLES"])


@pytest.mark.parametrize(
    ("exits", "step"),
    [
        ({"identity": clone("residue\tlogin-keys\t/root/.ssh/authorized_keys")}, "identity"),
        ({"identity": clone(machine_id=MADE_ON.machine_id)}, "identity"),
        ({"identity": Exit(code=1, output="broken")}, "identity"),
        ({"identity": clone(), "disk": Exit(code=1, output="full")}, "disk"),
    ],
)
def test_what_a_check_finds_counts_against_the_image(
    bench: Bench, exits: dict[str, Exit], step: str
) -> None:
    """Once more on another host, then it is rejected."""
    prover = FakeProver({ADDRESS: Machine(exits=exits)}, clock=bench.clock)

    ended = validate(bench, prover)

    upload = bench.upload().value
    assert ended.why is not None
    assert ended.why.startswith(f"{step}: ")
    assert upload.state is UploadState.STORED
    trial = upload.trials[PROVIDER]
    assert (trial.result, trial.failures, trial.retry_s) == (TrialResult.OPEN, 1, 0.0)
    retry(bench)
    validate(bench, prover)
    assert bench.upload().value.state is UploadState.REJECTED
    assert bench.upload().value.trials[PROVIDER].result is TrialResult.FAILED


def retry(bench: Bench) -> None:
    """Let the upload be tried again."""
    after = replace(bench.upload().value, state=UploadState.VALIDATING, owner=ME, trying=PROVIDER)
    write(bench, after)


def write(bench: Bench, after: Upload) -> None:
    """Write the upload by somebody else."""
    version = bench.upload().version
    bench.others.commit([Set(path=PATH, data=encode_upload(after), version=version)])


def test_the_host_of_a_failure_is_remembered(bench: Bench, prover: FakeProver) -> None:
    """As the cloud hides its name."""
    prover.script(ADDRESS, Machine(exits={"identity": clone("residue\tuser-data\t/x")}))
    on_hosts(bench, "h1")

    validate(bench, prover)

    assert bench.upload().value.trials[PROVIDER].hosts == ("h1",)


def test_another_host_is_asked_for_once(bench: Bench, prover: FakeProver) -> None:
    """One that has not seen a failure, if the cloud gives one."""
    prover.script(ADDRESS, Machine(exits={"identity": clone("residue\tuser-data\t/x")}))
    on_hosts(bench, "h1", "h1")

    validate(bench, prover, avoid=("h1",))

    assert len(bench.nodes()) == 2
    assert len(prover.orders) == 1
    assert bench.upload().value.trials[PROVIDER].hosts == ("h1",)


def failure(bench: Bench, request: str, result: str) -> None:
    """Write the evidence of a failed launch, and fail its request."""
    one = Capsule(
        node="n1",
        label="prove/debian",
        pool="main",
        result=result,
        why="it failed",
        at_s=1.0,
        request=request,
    )
    path = f"{paths.failures(PROVIDER)}/n1"
    bench.launcher.store.commit([Create(path=path, data=encode_capsule(one))])
    bench.launcher.refuse(request)


@pytest.mark.parametrize(
    ("result", "failures"), [("error.ssh", 1), ("error.capacity", 0), ("error.status", 0)]
)
def test_a_candidate_that_does_not_boot_counts_only_if_it_ran(
    bench: Bench, prover: FakeProver, result: str, failures: int
) -> None:
    """What the cloud spoiled is tried again later, with the reason on record."""
    bench.serve = lambda name: failure(bench, name, result)

    validate(bench, prover)

    trial = bench.upload().value.trials[PROVIDER]
    assert bench.upload().value.state is UploadState.STORED
    assert trial.failures == failures
    assert trial.why is not None
    assert "it failed" in trial.why
    assert (trial.retry_s > 0) == (failures == 0)


def test_a_candidate_that_lets_nobody_in_counts(bench: Bench, prover: FakeProver) -> None:
    """After a while in which it might have been rebooting."""
    prover.script(ADDRESS, Machine(too_early=10_000))

    validate(bench, prover)

    assert bench.upload().value.trials[PROVIDER].failures == 1
    assert len(prover.orders) > 1


def test_an_image_that_the_cloud_has_lost_counts(bench: Bench, prover: FakeProver) -> None:
    """No machine is asked for."""
    bench.put_upload("20000000-0000-4000-8000-0000000000ff")

    validate(bench, prover)

    assert bench.upload().value.trials[PROVIDER].failures == 1
    assert bench.nodes() == []


@pytest.mark.parametrize("error", [TryLaterError("busy"), CloudError("what is this")])
def test_a_cloud_that_does_not_answer_is_no_verdict(
    bench: Bench, prover: FakeProver, error: CloudError
) -> None:
    """It is tried again later."""
    upload = bench.put_upload(image(bench))
    bench.cloud.fail("get_image", error)

    validate(bench, prover, upload=upload)

    trial = bench.upload().value.trials[PROVIDER]
    assert (trial.failures, trial.result) == (0, TrialResult.OPEN)
    assert trial.retry_s > bench.clock.now_s()


def test_a_cloud_that_is_busy_is_asked_again_where_the_machine_runs(
    bench: Bench, prover: FakeProver
) -> None:
    """The trial goes on."""
    bench.cloud.fail("get_server", TryLaterError("busy"))

    assert validate(bench, prover).why is None


def test_a_build_of_which_nothing_is_known_is_refused(bench: Bench, prover: FakeProver) -> None:
    """Its clone cannot be told from the machine it was made on."""
    bench.put_build(identity={})

    validate(bench, prover)

    assert bench.upload().value.trials[PROVIDER].failures == 1
    assert bench.nodes() == []


def test_a_secret_that_is_not_here_is_no_verdict(bench: Bench, prover: FakeProver) -> None:
    """Another builder may have it."""
    bench.recipe = recipe(
        {"command": "make", "secrets": ["TOKEN"]},
        secrets={"TOKEN": SecretFrom(environment="SITE_TOKEN")},
    )

    validate(bench, prover)

    trial = bench.upload().value.trials[PROVIDER]
    assert trial.failures == 0
    assert trial.why is not None
    assert "SITE_TOKEN" in trial.why


def test_a_lost_session_is_no_verdict(bench: Bench, prover: FakeProver) -> None:
    """Whatever was found on a machine that launchers delete."""

    class Losing(FakeProver):
        """Loses our session while it looks."""

        def prove(self, *args: Any, **kwargs: Any) -> Any:
            bench.store.expire()
            return super().prove(*args, **kwargs)

    losing = Losing({ADDRESS: Machine(exits={"identity": Exit(code=1)})}, clock=bench.clock)

    validate(bench, losing)

    assert bench.upload().value.trials[PROVIDER].failures == 0
    assert prover.orders == []


def test_a_hand_that_is_stopped_leaves_no_word(bench: Bench, prover: FakeProver) -> None:
    """It is tried again at once."""

    def stop(_: str) -> None:
        bench.stop = True

    bench.serve = stop
    validate(bench, prover)

    upload = bench.upload().value
    assert (upload.state, upload.owner, upload.trying) == (UploadState.STORED, None, None)
    assert upload.trials == {}


def test_a_clone_that_cannot_be_searched_is_refused(bench: Bench, prover: FakeProver) -> None:
    """The sentence says why; no machine is asked for."""
    bench.put_build(identity=flat_identity(MADE_ON, "no key at all"))

    ended = validate(bench, prover)

    assert ended.why == "identity: 'no key at all' is not the line of a public key"
    assert bench.upload().value.trials[PROVIDER].failures == 1
    assert bench.nodes() == []


@pytest.mark.parametrize("good", [True, False])
def test_an_upload_that_was_taken_over_is_left_alone(
    bench: Bench, prover: FakeProver, *, good: bool
) -> None:
    """Whatever was found."""
    if not good:
        prover.script(ADDRESS, Machine(exits={"identity": Exit(code=1)}))
    bench.put_upload(image(bench))
    bench.before_write(PATH, 1, lambda: write(bench, replace(bench.upload().value, owner=OTHER)))

    ended = validate(bench, prover)

    assert ended.why is not None
    assert "not written" in ended.why
    assert bench.upload().value.owner == OTHER
    assert bench.upload().value.trials == {}


def test_a_copy_that_starts_from_it_is_no_takeover(bench: Bench, prover: FakeProver) -> None:
    """It touches the upload: the version moves on."""
    bench.put_upload(image(bench))
    bench.before_write(PATH, 1, lambda: write(bench, bench.upload().value))

    assert validate(bench, prover).why is None
    assert bench.upload().value.state is UploadState.USABLE


def test_a_lost_reply_is_no_takeover(bench: Bench, prover: FakeProver) -> None:
    """What the record says was written by us."""
    bench.put_upload(image(bench))
    bench.lose_reply(PATH, 1)

    assert validate(bench, prover).why is None
    assert bench.upload().value.state is UploadState.USABLE


def test_one_that_is_usable_elsewhere_stays_so(bench: Bench, prover: FakeProver) -> None:
    """Two providers on one project: what fails in one is usable in the other."""
    prover.script(ADDRESS, Machine(exits={"identity": Exit(code=1)}))
    bench.put_upload(image(bench), state=UploadState.USABLE)

    validate(bench, prover, wanted=(PROVIDER, "beta"))

    upload = bench.upload().value
    assert (upload.state, upload.trying) == (UploadState.USABLE, None)
    assert upload.trials[PROVIDER].failures == 1
