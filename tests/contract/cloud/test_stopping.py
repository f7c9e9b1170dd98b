"""Servers that are shut down, before an image is made of them; and what they are busy with."""

import pytest

from remuda.cloud.api import BadOrderError, GoneError, Server, ServerStatus, TryLaterError
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import Bench, Fault
from tests.contract.cloud.image_means import ABSENT, ready, running


def stopped(bench: Bench, server: ServerId) -> Server:
    """Wait until a server is stopped and has no task."""

    def look() -> Server | None:
        seen = bench.find(server)
        assert seen is not None, "the server is gone"
        return seen if seen.status is ServerStatus.STOPPED and seen.task is None else None

    found = bench.until(look, "the server to stop")
    assert found is not None
    return found


def test_a_server_that_runs_is_stopped_with_one_call(bench: Bench) -> None:
    """It is shut off and idle then; asked again it stays so; an image of it boots."""
    server = running(bench)
    before = bench.find(server)

    counted = bench.counted(lambda: bench.cloud.stop_server(server))
    bench.cloud.stop_server(server)
    after = stopped(bench, server)
    bench.cloud.stop_server(server)
    image = ready(bench, bench.images.snapshot(server, *bench.image_name_and_tags()))
    clone = bench.find(running(bench, image=image))

    assert before is not None
    assert (before.vm_state, before.task) == ("active", None)
    assert counted.calls == 1
    assert (after.vm_state, after.status) == ("stopped", ServerStatus.STOPPED)
    assert stopped(bench, server).id == server
    assert clone is not None
    assert clone.image_id == image.id


def test_a_stopped_server_runs_again(bench: Bench) -> None:
    """Asked again it goes on running; one that is gone does not start."""
    server = running(bench)
    bench.cloud.stop_server(server)
    stopped(bench, server)

    def runs() -> bool:
        seen = bench.find(server)
        return seen is not None and (seen.status, seen.task) == (ServerStatus.ACTIVE, None)

    counted = bench.counted(lambda: bench.cloud.start_server(server))
    bench.until(runs, "the server to run")
    bench.cloud.start_server(server)

    assert counted.calls == 1
    assert runs()
    with pytest.raises(GoneError):
        bench.cloud.start_server(ServerId(ABSENT))


def test_a_server_that_is_gone_cannot_be_stopped(bench: Bench) -> None:
    """Neither one that never was."""
    server = running(bench)
    bench.cloud.delete_server(server)
    bench.until(lambda: bench.find(server) is None, "server gone")

    with pytest.raises(GoneError):
        bench.cloud.stop_server(server)
    with pytest.raises(GoneError):
        bench.cloud.stop_server(ServerId(ABSENT))


def test_a_server_whose_image_is_being_made_is_stopped_later(bench: Bench) -> None:
    """What it is busy with is shown; nothing else happens to it."""
    bench.fault(Fault.SNAPSHOT_HANGS)
    server = running(bench)
    bench.images.snapshot(server, *bench.image_name_and_tags())

    with pytest.raises(TryLaterError):
        bench.cloud.stop_server(server)
    seen = bench.find(server)

    assert seen is not None
    assert (seen.status, seen.vm_state) == (ServerStatus.ACTIVE, "active")
    assert seen.task is not None


def test_a_server_is_idle_once_its_image_is_active(bench: Bench) -> None:
    """From then on it may be deleted, and the image stays."""
    server = running(bench)
    image_id = bench.images.snapshot(server, *bench.image_name_and_tags())
    busy = bench.find(server)
    ready(bench, image_id)

    def idle() -> bool:
        seen = bench.find(server)
        return seen is not None and seen.task is None

    bench.until(idle, "the server to be idle")
    bench.cloud.delete_server(server)
    bench.until(lambda: bench.find(server) is None, "server gone")

    assert busy is not None
    assert busy.task is not None
    assert bench.images.get_image(image_id).id == image_id


def test_a_server_that_is_not_built_yet_is_stopped_later(bench: Bench) -> None:
    """Once it is, it will do: also in the first moment, when Nova itself does not know it yet."""
    bench.fault(Fault.BOOT_HANGS)
    server = bench.cloud.create_server(bench.order())

    with pytest.raises(TryLaterError):
        bench.cloud.stop_server(server)


def test_a_server_that_never_ran_cannot_be_stopped(bench: Bench) -> None:
    """No waiting will help."""
    bench.fault(Fault.BOOT_ERROR)
    server = bench.cloud.create_server(bench.order())

    def failed() -> bool:
        seen = bench.find(server)
        return seen is not None and seen.status is ServerStatus.ERROR

    bench.until(failed, "server in error")

    with pytest.raises(BadOrderError):
        bench.cloud.stop_server(server)
