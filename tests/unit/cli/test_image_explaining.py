"""`remuda explain` and `remuda nodes`: what images have to do with requests and machines."""

import pytest

from remuda.cli.explaining import explain
from remuda.cli.image.overview import list_images
from remuda.cli.overview import nodes
from remuda.model import launch as launches
from remuda.model.build import BuildState
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, UploadId
from remuda.model.imageask import ImageAsk, ImageUse, image_label
from remuda.model.launch import Launch, Step
from remuda.model.status import IMAGE_NUMBER, Ruling
from remuda.store import paths
from requestor.client import Client
from tests.support.imageharness import NOW_S, PLACES, ImageHarness, put_packages

UPLOAD = UploadId(BuildId("debian", 3), PLACES["alpha"])


@pytest.fixture
def harness() -> ImageHarness:
    """A pool with a label, and an image of which one build is not made yet."""
    harness = ImageHarness()
    harness.launcher.register("small")
    harness.image(last_build=1)
    harness.build(1, providers=[], state=BuildState.REQUESTED)
    return harness


def ask(harness: ImageHarness, label: str = "small", image: ImageAsk | None = None) -> str:
    """Make a request that stays."""
    store = harness.zookeeper.connect()
    client = Client(store, requestor="ada")
    return client.request(label, image=image, ephemeral=image is not None).id


def test_a_request_that_waits_for_an_image_says_what_that_waits_for(harness: ImageHarness) -> None:
    """In each provider that waits for one, in the words of builders."""
    made = ask(harness)
    harness.builder(waits={"debian/1": "alpha: the cloud is away"})
    why = "image debian has no usable build here yet"
    harness.launcher.say(made, Ruling.WAITING, why, numbers={IMAGE_NUMBER: "debian"})
    text = harness.call(explain, made).stdout
    doc = harness.json(explain, made)

    assert "debian in alpha, build 1: alpha: the cloud is away" in text
    assert doc["images"] == [
        {
            "image": "debian",
            "provider": "alpha",
            "newest": 1,
            "state": "requested",
            "waits": "alpha: the cloud is away",
            "retry_at_s": None,
        }
    ]
    assert (doc["boots"], doc["builder"]) == ({}, None)


def test_an_image_that_has_come_meanwhile_is_said_to(harness: ImageHarness) -> None:
    """The launcher's word is a moment old."""
    made = ask(harness)
    harness.shelf(1)
    harness.launcher.say(made, Ruling.WAITING, "why", numbers={IMAGE_NUMBER: "debian"})

    assert "debian in alpha: it has come" in harness.call(explain, made).stdout


@pytest.mark.parametrize("odd", [7, "../x", "", None, "nobody"])
def test_a_word_of_a_launcher_that_names_no_image_says_nothing(
    harness: ImageHarness, odd: object
) -> None:
    """Of an image that nobody knows, that there is no build."""
    made = ask(harness)
    harness.launcher.say(made, Ruling.WAITING, "why", numbers={IMAGE_NUMBER: odd})
    result = harness.call(explain, made)

    assert result.exit_code == 0
    assert len(harness.json(explain, made)["images"]) == (odd == "nobody")


def test_a_builders_request_says_for_which_build_it_is(harness: ImageHarness) -> None:
    """One to make it is named by the build's record, one to try it names the build itself."""
    making = ask(harness, image_label("debian", ImageUse.MAKE), ImageAsk(use=ImageUse.MAKE))
    early = harness.call(explain, making).stdout
    harness.build(2, providers=[], state=BuildState.BUILDING, request=making)
    proving = ask(
        harness, image_label("debian", ImageUse.PROVE), ImageAsk(use=ImageUse.PROVE, upload=UPLOAD)
    )

    assert "a builder asks for it, to make image debian\n" in early
    assert "to make image debian, build 2\n" in harness.call(explain, making).stdout
    assert "to try image debian, build 3\n" in harness.call(explain, proving).stdout
    # Whoever makes machines makes these, whatever its pools offer.
    assert "offers" not in early
    assert harness.json(explain, making)["missing_labels"] == []
    assert harness.json(explain, making)["builder"] == {
        "use": "make",
        "image": "debian",
        "build": "debian/2",
    }


def test_what_the_machines_of_a_request_boot_is_told(harness: ImageHarness) -> None:
    """While they are made, by their launches; then by their own records."""
    made = ask(harness)
    other = ask(harness)
    for node, request in (("3000000005", made), ("3000000006", other), ("3000000007", None)):
        one = Launch(
            id=NodeId(node),
            pool="main",
            label="small",
            step=Step.PLANNED,
            owner=ReplicaId("me"),
            planned_s=NOW_S,
            asked_by_s=NOW_S,
            on_account_of=request,  # type: ignore[arg-type]  # as it is in the record
            image_build="debian/41",
            image_place=PLACES["alpha"],
        )
        harness.put(paths.launch("alpha", one.id), launches.encode(one))
    harness.put(paths.launch("alpha", NodeId("3000000008")), b"nonsense")
    harness.launcher.claim(made)
    harness.launcher.say(made, Ruling.SERVING, "")
    assert harness.json(explain, made)["boots"] == {"3000000005": "debian/41"}

    node = harness.launcher.ready_node(image_id="debian/42")
    plain = harness.launcher.ready_node(image_id="Debian 12")
    harness.launcher.lend(made, [node, plain])
    assert harness.json(explain, made)["boots"] == {node: "debian/42"}
    assert f"node {node} boots debian/42" in harness.call(explain, made).stdout


def test_only_a_build_of_the_same_provider_is_made_beside_a_machine(
    harness: ImageHarness,
) -> None:
    """Each provider may make its own, of the same image at the same time."""
    made = ask(harness)
    node = harness.launcher.ready_node(image_id="debian/first-use")
    harness.launcher.lend(made, [node])
    harness.build(2, providers=[], state=BuildState.BUILDING, group=("alpha",))
    harness.build(3, providers=[], state=BuildState.BUILDING, group=("beta",))

    assert harness.json(explain, made)["first_use"] == {
        node: {"image": "debian", "beside": "debian/2"}
    }
    said = "which is made on first use; build debian/2 is being made beside it"
    assert said in harness.call(explain, made).stdout


def test_nodes_tell_their_build(harness: ImageHarness) -> None:
    """Those of an image of ours."""
    harness.launcher.ready_node(image_id="debian/42")
    harness.launcher.ready_node(image_id="7f3d0c9a-0000-4000-8000-000000000001")
    head, first, second = harness.call(nodes).stdout.splitlines()
    column = head.index("BUILD")

    assert first[column:].split()[0] == "debian/42"
    assert second[column:].split()[0] == "-"
    assert [one["build"] for one in harness.json(nodes)] == ["debian/42", None]
    assert harness.call(list_images).exit_code == 0


def test_a_request_says_what_is_new_in_what_its_nodes_boot(harness: ImageHarness) -> None:
    """A job that fails since yesterday has its reason there, more often than not."""
    put_packages(harness, 2, [("openssl", "3.0.13")])
    put_packages(harness, 3, [("openssl", "3.0.15")])
    made = ask(harness)
    node = harness.launcher.ready_node("small", image_id="debian/3")
    harness.launcher.lend(made, [node])
    text, doc = harness.call(explain, made).stdout, harness.json(explain, made)

    assert f"node {node} boots debian/3" in text
    assert "debian/3 since build 2: openssl 3.0.13 → 3.0.15" in text
    assert doc["since"] == {"debian/3": "since build 2: openssl 3.0.13 → 3.0.15"}
