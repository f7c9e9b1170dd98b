"""The hand that makes an image of a job's machine: vouched for, let in, the job's all the time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from builder.machine.hand_enter import LET_IN_S, JobMachine
from remuda.cloud.api import Server
from remuda.config.captures import CaptureFrom
from remuda.config.images import SecretFrom
from remuda.config.parts import CheckFrom
from remuda.model.build import Blame, BuildState, Mishap
from remuda.model.capture import Capture, Captured, ask_fields
from remuda.model.ids import ServerId
from remuda.model.launch import Step
from remuda.model.upload import UploadState
from remuda.ssh.errors import SshError
from remuda.store import paths
from remuda.store.api import Delete, Set
from tests.support.standin import HOST_KEY
from tests.unit.builder.handbench import ADDRESS, BUILD, OWNER, PROVIDER, Bench, ran, recipe
from tests.unit.builder.jobs import Job
from tests.unit.builder.makings import make

SECRET: Final = "swordfish-and-more"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Everything in memory; the image has no recipe."""
    one = Bench(tmp_path)
    one.recipe = recipe()
    yield one
    one.close()


@pytest.fixture
def job(bench: Bench) -> Iterator[Job]:
    """A job that asks."""
    one = Job(bench)
    yield one
    one.client.close()


def capture(
    job: Job, *, environ: dict[str, str] | None = None, captured: Any = None, **job_fields: Any
) -> Mishap | None:
    """Make the build of its machine; return what went wrong."""
    bench = job.bench
    machine = Captured(
        node=job.id,
        provider=PROVIDER,
        pool="main",
        label="small",
        requestor="ci-7",
        token="t1",
    )
    machine = replace(machine, **(captured or {}))
    bench.put_build(captured=machine, base=None)
    order = JobMachine(
        build=BUILD,
        captured=machine,
        cloud=bench.cloud,
        owner=OWNER,
        user="ubuntu",
        port=2222,
        **job_fields,
    )
    make(bench, environ=environ, job=order)
    return bench.build().value.mishap


def test_a_job_s_machine_becomes_an_image(bench: Bench, job: Job) -> None:
    """Logged in to as the configuration says, quieted, stopped; the node stays the job's."""
    assert capture(job) is None

    build = bench.build().value
    assert (build.state, build.node) == (BuildState.BUILT, job.id)
    assert build.quieted_s is not None
    assert build.base is not None
    assert bench.upload().value.state is UploadState.STORED
    (login,) = bench.logins
    assert (login.address, login.user, login.port) == (ADDRESS, "ubuntu", 2222)
    assert login.host_keys == (HOST_KEY,)
    assert not Path(login.key_file or "").exists()
    quiet = next(one for one in bench.session.scripts if one.name == "quiet")
    wanted = dict(quiet.environment)["REMUDA_LOGIN_KEYS"]
    assert (build.login_key or "").split()[1] in wanted
    assert bench.launcher.read_node(job.id).state == "in-use"
    assert bench.others.children(paths.REQUESTS) == ()
    assert f"captured of node {job.id} (small in alpha), held by ci-7" in bench.log.text


def test_it_is_on_record_before_anything_of_the_machine_is_changed(bench: Bench, job: Job) -> None:
    """A builder that dies after that ends the capture; one that dies before does not."""
    seen: list[tuple[str, bool]] = []
    bench.session.before = lambda name: seen.append(
        (name, bench.build().value.quieted_s is not None)
    )
    capture(job)
    assert ("prepare", False) in seen
    assert ("identity", True) in seen
    assert ("quiet", True) in seen


def test_secrets_are_looked_for_in_what_the_job_left(bench: Bench, job: Job) -> None:
    """Those of the image, though no step names them."""
    rule = CaptureFrom(labels=("small",), requestors=("ci-7",))
    bench.recipe = recipe(secrets={"TOKEN": SecretFrom(environment="TOKEN")}, capture=rule)
    assert capture(job, environ={"TOKEN": SECRET}, secret=True) is None
    quiet = next(one for one in bench.session.scripts if one.name == "quiet")
    assert SECRET in "".join(dict(quiet.environment)["REMUDA_NEEDLES"])


def _spoil(job: Job) -> None:
    path = paths.node(job.id)
    stored = job.bench.others.read(path)
    assert stored is not None
    job.bench.others.commit([Set(path=path, data=b"{", version=stored.version)])


FORGERIES: Final[dict[str, tuple[Callable[[Job], None], str]]] = {
    "another server": (
        lambda job: job.bench.change_node(job.id, external_id="of-a-stranger"),
        "names another server than its launch",
    ),
    "another address": (
        lambda job: job.bench.change_node(job.id, interface_ip="127.66.6.6"),
        "names another address than its launch",
    ),
    "another requestor": (
        lambda job: job.bench.change_node(job.id, requestor="eve"),
        "is another requestor's by now",
    ),
    "a launch that took nothing": (
        lambda job: job.change(capture=None),
        "was not given for this by its launcher",
    ),
    "a refused capture": (
        lambda job: job.change(capture=Capture(ask=job.ask, requestor="ci-7", refused="no")),
        "was not given for this by its launcher",
    ),
    "another ask": (
        lambda job: job.change(capture=Capture(ask=replace(job.ask, token="t2"), requestor="ci-7")),
        "was not given for this by its launcher",
    ),
    "another image": (
        lambda job: job.change(
            capture=Capture(ask=replace(job.ask, image="other"), requestor="ci-7")
        ),
        "is to become another build",
    ),
    "another label": (lambda job: job.change(label="big"), "was made as something else"),
    "a broken record": (
        _spoil,
        "has a record that cannot be read",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_machine_that_is_not_vouched_for_is_left_alone(job: Job, forgery: str) -> None:
    """No record of a requestor's leads a builder anywhere."""
    forge, why = FORGERIES[forgery]
    forge(job)
    mishap = capture(job)
    assert mishap is not None
    assert mishap.blame is Blame.BUILDER
    assert why in mishap.message
    assert (job.bench.logins, job.bench.session.scripts) == ([], [])
    assert "stop_server" not in job.bench.cloud.calls


def test_a_server_without_our_tags_is_left_alone(bench: Bench, job: Job) -> None:
    """The cloud has to show it as that node's."""
    job.change(server=ServerId("s-9"))
    bench.change_node(job.id, external_id="s-9")
    mishap = capture(job)
    assert mishap is not None
    assert "the cloud has no server s-9" in mishap.message


def _take_another(job: Job) -> None:
    """Have the launcher take another ask while we wait for it."""
    ask = replace(job.ask, token="t2")
    job.change(capture=Capture(ask=ask, requestor="ci-7"))


def test_what_is_asked_since_ends_no_capture(bench: Bench, job: Job) -> None:
    """It is for the launcher to answer, which has taken the first."""
    bench.change_node(job.id, **ask_fields(replace(job.ask, token="t2")))
    assert capture(job) is None
    assert bench.build().value.state is BuildState.BUILT


LOSSES: Final[dict[str, tuple[Callable[[Job], None], str]]] = {
    "its session is over": (Job.let_go, "was lost by its job: the session that held it is over"),
    "it was given back": (lambda job: job.node.release(), "was given back while it was captured"),
    "it is being deleted": (lambda job: job.change(step=Step.CONDEMNED), "is being deleted"),
    "its record is gone": (
        lambda job: job.bench.others.commit(
            [
                Delete(path=job.node.taken.contender),
                Delete(path=paths.node_lock(job.id)),
                Delete(path=paths.node(job.id)),
            ]
        ),
        "is gone",
    ),
    "it has another order": (
        lambda job: setattr(job.bench, "on_wait", lambda: _take_another(job)),
        "has another order by now",
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_job_that_lets_its_machine_go_ends_the_capture(job: Job, loss: str) -> None:
    """With a sentence, and for good: it is the job's business."""
    lose, why = LOSSES[loss]
    lose(job)
    mishap = capture(job)
    assert mishap is not None
    assert (mishap.blame, job.bench.build().value.state) == (Blame.JOB, BuildState.FAILED)
    assert why in mishap.message


@pytest.mark.parametrize("step", ["prepare", "quiet", "packages"])
def test_a_session_that_ends_on_the_way_is_why_it_broke(bench: Bench, job: Job, step: str) -> None:
    """The launcher deletes the machine then, so that the connection breaks."""
    bench.session.ends[step] = ran("the connection broke", lost=True)
    bench.session.before = lambda name: job.let_go() if name == step else None
    mishap = capture(job)
    assert mishap is not None
    assert mishap.blame is Blame.JOB
    assert "the session that held it is over" in mishap.message


def test_a_machine_that_breaks_by_itself_has_broken(bench: Bench, job: Job) -> None:
    """Its job holds it still."""
    bench.session.ends["prepare"] = ran("the connection broke", lost=True)
    mishap = capture(job)
    assert mishap is not None
    assert mishap.blame is Blame.MACHINE


def test_a_session_that_ends_before_the_snapshot_ends_the_capture(bench: Bench, job: Job) -> None:
    """Nothing is left of it in the cloud."""
    stop = bench.cloud.stop_server

    def stopped(server: ServerId) -> None:
        stop(server)
        job.let_go()

    bench.cloud.stop_server = stopped  # type: ignore[method-assign]
    mishap = capture(job)
    assert mishap is not None
    assert (mishap.blame, bench.images.list_images()) == (Blame.JOB, ())
    assert bench.build().value.state is BuildState.FAILED


def test_volumes_end_the_capture_before_anybody_is_let_in(bench: Bench, job: Job) -> None:
    """The launcher's listing may have been older than they are."""
    get = bench.cloud.get_server

    def shown(server: ServerId) -> Server:
        return replace(get(server), volumes=("v1",))

    bench.cloud.get_server = shown  # type: ignore[method-assign]
    mishap = capture(job)
    assert mishap is not None
    assert (mishap.blame, job.said) == (Blame.JOB, None)
    assert "has volumes attached" in mishap.message


def test_a_launcher_that_is_locked_out_ends_the_capture(job: Job) -> None:
    """Its own words are the reason."""
    job.guest = "the launcher is not let into the machine: login: refused"
    mishap = capture(job)
    assert mishap is not None
    assert (mishap.blame, mishap.step) == (Blame.JOB, "login")
    assert "the launcher is not let into the machine" in mishap.message


def test_a_launcher_that_does_nothing_is_waited_for_no_longer_than_that(
    bench: Bench, job: Job
) -> None:
    """It is nobody's verdict: the capture is begun anew later."""
    job.admits, began_s = False, bench.clock.monotonic_s()
    mishap = capture(job)
    assert mishap is not None
    assert mishap.blame is Blame.CLOUD
    assert f"no launcher of alpha let us onto node {job.id}" in mishap.message
    assert LET_IN_S <= bench.clock.monotonic_s() - began_s < LET_IN_S + 5.0
    build = bench.build().value
    assert (build.state, build.login_key) == (BuildState.REQUESTED, None)


def test_a_job_that_goes_while_its_launcher_does_nothing_is_noticed(job: Job) -> None:
    """At the next look."""
    job.admits = False
    job.bench.on_wait = job.let_go
    mishap = capture(job)
    assert mishap is not None
    assert mishap.blame is Blame.JOB


def test_no_secret_is_told_to_a_machine_whose_key_nobody_chose(job: Job) -> None:
    """It may be another one."""
    job.change(host_key=None, host_keys="scan")
    mishap = capture(job, secret=True)
    assert mishap is not None
    assert mishap.blame is Blame.RECIPE
    assert "host-keys: inject" in mishap.message


def test_a_machine_whose_key_was_scanned_is_met_by_what_its_record_says(
    bench: Bench, job: Job
) -> None:
    """As everybody meets it who got it."""
    job.change(host_key=None, host_keys="scan")
    assert capture(job) is None
    assert bench.logins[0].host_keys == (HOST_KEY,)


def test_a_failed_check_leaves_the_machine_to_its_job(bench: Bench, job: Job) -> None:
    """Nothing was changed; it can be mended, and asked for once more."""
    check = CheckFrom.model_validate({"name": "whole", "script": {"inline": "#!/bin/sh\nfalse\n"}})
    bench.recipe = recipe(checks_before=(check,))
    bench.session.ends["whole"] = ran("exit code 1", code=1)
    mishap = capture(job)
    assert mishap is not None
    assert mishap.blame is Blame.JOB
    build = bench.build().value
    assert (build.state, build.quieted_s) == (BuildState.FAILED, None)
    assert "stop_server" not in bench.cloud.calls


def test_what_cannot_be_logged_in_to_has_failed(bench: Bench, job: Job) -> None:
    """After the launcher has let us in."""

    def refuse(_login: Any) -> Any:
        raise SshError("no")

    bench.machines._connect = refuse
    mishap = capture(job)
    assert mishap is not None
    assert (mishap.blame, mishap.step) == (Blame.MACHINE, "login")
