"""Wrong records in a real ZooKeeper, while real launchers serve, and when they start."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from remuda.model.ids import NodeId, RequestId
from remuda.model.image import BuildId, UploadId
from remuda.model.request import decode
from remuda.store import paths
from requestor import Client, RequestFailedError, connect
from tests.support.badrecords import SEEN, Bad, readable
from tests.support.stage import SERVED_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

_PROVIDERS = ("alpha", "beta")
#: Kinds of records whose writers wait for an answer.
_ASKED = ("request", "builder's request")
_VIEWS = (("status",), ("requests", "--json"), ("failures",))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give two providers, each with one launcher."""
    with open_stage(tmp_path_factory, "records") as made:
        for cloud, provider in zip("ab", _PROVIDERS, strict=True):
            made.cloud(cloud)
            made.provider(provider, cloud)
            made.launcher(provider, wait=False)
        for process in made.processes:
            made.at_work(process)
        yield made


def place(number: int, bad: Bad) -> str:
    """Return where to write a record so that launchers or commands read it."""
    build = BuildId(f"other{number}", 1)
    return {
        "request": f"{paths.REQUESTS}/100-{number:010d}",
        "builder's request": f"{paths.REQUESTS}/900-{number:010d}",
        "node": f"{paths.NODES}/{number:010d}",
        "launch": f"{paths.launches('alpha')}/{9_000_000_000 + number}",
        "claim": paths.claim("alpha", RequestId(f"100-{number:010d}")),
        "status": f"{paths.STATUSES}/other{number}",
        "pool": f"{paths.POOL_COMPONENTS}/x{number:010d}",
        "replica": f"{paths.replicas(f'other{number}')}/one",
        "permit": f"/remuda/providers/other{number}/sweep",
        "autohold": paths.autohold(f"other{number}"),
        "take-home image": paths.take_home(NodeId(f"{number:010d}")),
        "take-home end": paths.take_home_end(NodeId(f"{number:010d}")),
        "verdict": f"{paths.verdicts(f'other{number}')}/100-0000000001",
        "failure": f"{paths.failures('alpha')}/{9_000_000_000 + number}",
        "capsule": f"{paths.capsules('alpha')}/{9_000_000_000 + number}",
        "failed request": f"{paths.FAILED_REQUESTS}/100-0000000001.{number:010d}",
        "image": paths.image(build.image),
        "image log": paths.image_log(build),
        "build": paths.build(build),
        "upload": paths.upload(UploadId(build, "0" * 12)),
        "pointer": paths.pointer(build.image, "alpha"),
        "last use": paths.last_use(build.image),
        "tally": paths.tally(build.image, "alpha"),
        "plain tally": paths.plain_tally(f"other{number}"),
    }[bad.kind]


def wrong(bad: Bad) -> bool:
    """Whether nobody can use a record: one that can be used would have its effect."""
    if bad.kind in _ASKED:
        return not readable(bad.kind, bad.raw) or decode(RequestId("x"), bad.raw).unfit is not None
    return not readable(bad.kind, bad.raw)


def test_launchers_serve_beside_wrong_records_and_after_a_start_among_them(stage: Stage) -> None:
    """Those that ask wrongly hear why, and the commands show the rest."""
    written = {place(number, bad): bad for number, bad in enumerate(SEEN) if wrong(bad)}
    with connect(stage.server.hosts) as client:
        for path, bad in written.items():
            stage.zk.create(path, bad.raw, makepath=True)
        serve(client)
        refused = [path for path, bad in written.items() if bad.kind in _ASKED]
        stage.until(
            lambda: all(stage.read(path)["state"] == "failed" for path in refused),  # type: ignore[index]
            "every wrong request to fail",
        )
        pending = client.attach(refused[0].rpartition("/")[2], force=True)
        with pytest.raises(RequestFailedError, match=r"relative_priority|NaN"):
            pending.check()
        stage.processes[0].kill()
        stage.launcher("alpha")
        serve(client)
    for words in _VIEWS:
        command = [sys.executable, "-m", "remuda", *words]
        environment = {"REMUDA_ZOOKEEPER": stage.server.hosts[0]}
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=SERVED_S)

    assert all(process.alive for process in stage.processes[1:])


def serve(client: Client) -> None:
    """Take and give back a machine of each provider."""
    for provider in _PROVIDERS:
        with client.request("small", provider=provider, deadline_s=SERVED_S) as nodes:
            assert nodes[0].provider == provider
