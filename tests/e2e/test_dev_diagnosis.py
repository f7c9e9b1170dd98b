"""docs/diagnosis.md and docs/archive.md can be followed in `remuda dev` without editing a file."""

import gzip
import re
import urllib.request
from collections.abc import Iterator

import pytest

from remuda.cloud.api import ServerStatus
from tests.support import stage as stages
from tests.support.accounts import account, boots_in
from tests.support.deadline import wait_for
from tests.support.dev import USUAL_S, Dev, running_dev
from tests.support.stage import Doc

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk, pytest.mark.timeout(1200)]

EVIDENCE = "of-the-failure"
#: Without the key that opens all machines of `remuda dev`: what is let in then has its own.
KEYLESS = "env -u REMUDA_IDENTITY"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """Give a `remuda dev` whose builder has done its first work: it needs room in the pools."""
    if why := stages.missing():
        pytest.skip(why)
    with running_dev(tmp_path_factory.mktemp("dev")) as made:
        wait_for(lambda: current(made), USUAL_S, "a first build of the image tools")
        yield made


def current(dev: Dev) -> bool:
    """Say whether there is a build that machines boot."""
    return any(one["image"] == "tools" and one["current"] for one in dev.told("remuda image list"))


def page(url: str) -> str:
    """Return what a browser gets."""
    with urllib.request.urlopen(url, timeout=USUAL_S) as answer:  # noqa: S310 - on the loopback
        data: bytes = answer.read()
        return (gzip.decompress(data) if answer.headers["Content-Encoding"] else data).decode()


def in_the_end(dev: Dev, command: str) -> str:
    """Repeat a command until it ends well: on a busy machine nobody may answer it in its time."""

    def done() -> str:
        code, text = dev.run(command)
        return f"{text}\n" if code == 0 else ""

    return wait_for(done, USUAL_S, command)


def held(dev: Dev, **wanted: object) -> Doc:
    """Wait for a row of `remuda holds` with these fields; return it."""

    def found() -> Doc | None:
        rows: list[Doc] = dev.told("remuda holds")
        return next((row for row in rows if wanted.items() <= row.items()), None)

    return wait_for(found, USUAL_S, f"a hold with {wanted}") or {}


def failed(dev: Dev) -> Doc:
    """Let a job fail for which an autohold waits; return the hold of the node that it leaves."""
    dev.said("remuda autohold add --label small --job 'unit*' --reason 'unit tests hang' --for 12h")
    job = f"echo {EVIDENCE} >/var/log/job.log; exit 3"
    dev.said(f"CI_JOB_NAME=unit-1 remuda run small -- '{job}'", code=3)
    return held(dev, reason="unit tests hang", state="hold")


def test_from_a_red_job_to_a_shell_and_home(dev: Dev) -> None:
    """Held, shown, entered by certificate and key, extended, taken home, opened, given back."""
    first = failed(dev)
    node, provider = first["node"], first["provider"]
    wait_for(lambda: node in page(dev.facts["pages"][provider]), USUAL_S, "its page to show it")

    grep = f"remuda ssh {node} -- cat /var/log/job.log"
    assert EVIDENCE in in_the_end(dev, f"{KEYLESS} {grep}")
    assert EVIDENCE in in_the_end(dev, grep)
    developer = dev.facts["developer"]
    in_the_end(dev, f"remuda key add {node} --developer {developer['name']}")
    own = f"--identity {developer['key']}"
    assert EVIDENCE in in_the_end(dev, grep.replace(" --", f" {own} --"))
    assert developer["name"] in dev.said(f"remuda key list {node}")
    dev.run(f"remuda extend {node} --for 2h")
    wait_for(lambda: held(dev, node=node)["extended"], USUAL_S, "the extension")

    words = f"--snapshot --share-with {developer['project']} --for 14d"
    dev.run(f"remuda hold {node} {words}")
    image = held(dev, node=node, state="whole")["image"]
    cloud_name = f"{dev.facts['providers'][provider]}-{developer['name']}"
    with account(dev.folder / "clouds.yaml", cloud_name) as cloud:
        assert cloud.image_store().project() == developer["project"]
        server = boots_in(cloud, image)
        wait_for(
            lambda: cloud.get_server(server).status is ServerStatus.ACTIVE, USUAL_S, "it to boot"
        )
        cloud.delete_server(server)

    again = dev.told(f"remuda open {node} --for 4h")["node"]
    assert EVIDENCE in in_the_end(dev, f"{KEYLESS} {grep.replace(node, again)}")
    dev.said(f"remuda release {again}")
    dev.said(f"remuda release {node}")


def stored(capsule: Doc) -> set[str]:
    """Return where the whole of a capsule is."""
    return {one["store"] for one in capsule["kept"] if one.get("why") is None}


def test_a_failed_job_leaves_a_capsule(dev: Dev) -> None:
    """Whole, in the folder and in the object store, wherever it is fetched from."""
    dev.said("CI_JOB_NAME=lint remuda run small -- false", code=1)

    def kept() -> str:
        jobs = dev.told("remuda failures")["jobs"]
        found = [one["node"] for one in jobs if stored(one) == {"folder", "swift"}]
        return str(found[0]) if found else ""

    node = wait_for(kept, USUAL_S, "a capsule in both places")
    assert "the whole capsule" in dev.said(f"remuda capsule {node} --out one.tar.gz")
    (file,) = (dev.folder / "capsules").glob(f"*{node}*")
    file.unlink()
    assert "the whole capsule" in dev.said(f"remuda capsule {node} --out two.tar.gz")


def test_what_a_job_leaves_is_in_the_object_store(dev: Dev) -> None:
    """Behind an address that opens it in a browser, and in a folder as well."""
    job = "'mkdir results; echo passed >results/x.log'"
    archive = "remuda run small --archive results --archive /etc/hostname=name --archive-to"
    text = dev.said(f"{archive} cloud-a:ci-logs/nightly --archive-keep 30d -- {job}")
    found = re.search(r"archived 2 files, \d+ bytes: (http://\S+)", text)
    assert found is not None, text
    index = page(found[1])
    assert "results" in index
    assert "name" in index
    assert "archived 2 files" in dev.said(f"{archive} ./archives -- {job}")
