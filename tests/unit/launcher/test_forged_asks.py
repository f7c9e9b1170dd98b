"""Whatever a request asks for in a builder's name, launchers boot what is on record for it alone.

Anybody who may write requests can write what builders ask for.
"""

import json
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.claim.actions import Claim
from launcher.node.actions import Grow, Intent
from launcher.request.actions import Allocate, Decline
from launcher.world import World
from remuda.model import request as requests
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import RequestId
from remuda.model.image import BuildId, UploadId
from remuda.model.imageask import IMAGE_KEY, ImageAsk, ImageUse, image_label
from remuda.model.launch import Step
from remuda.model.request import RequestState
from remuda.model.upload import UploadState
from remuda.store import paths
from remuda.store.api import Put, Stored
from tests.support.badrecords import DOCS, anything, raw_of
from tests.unit.launcher.imaged import PLACE, asking, builds, imaged, store_build
from tests.unit.launcher.works import quiet_fold
from tests.unit.launcher.worlds import NOW, add_node, add_request, of_kind, think

ELSEWHERE: Final = "ba9876543210"
KEY: Final = f"ssh-ed25519 {'A' * 68}"
MAKE, PROVE = (image_label("noble", use) for use in (ImageUse.MAKE, ImageUse.PROVE))
#: In :func:`library`: build by number.
CURRENT, TRIED, TRIED_THERE, STORED, REJECTED, REVOKED, ABROAD, PROVEN, FOREIGN = range(1, 10)
#: What each label of a builder may boot, whatever a request says; None: the recipe's own base.
BOOTABLE: Final[Mapping[str, frozenset[str | None]]] = {
    "small": frozenset({"noble/1"}),
    "large": frozenset({"noble/1"}),
    MAKE: frozenset({None, "noble/1", "noble/8"}),
    PROVE: frozenset({"noble/2"}),
}

near_builds = st.sampled_from(
    [
        *(f"noble/{number}" for number in range(1, 10)),
        *("noble/0", "noble/001", "noble/2/", "noble//2", "noble/../noble/2", "/2", "noble"),
        *("other/1", "../noble/2", "noble/1e0", "noble/\u0662", "noble/2\n", "image-2", "*"),
    ]
)
near_places = st.sampled_from([PLACE, ELSEWHERE, PLACE.upper(), f"{PLACE}/..", "..", "here", ""])
near_asks = st.fixed_dictionaries(
    {},
    optional={
        "use": st.sampled_from(["make", "prove", "PROVE", "boot", ""]) | anything,
        "build": near_builds | anything,
        "place": near_places | anything,
        "login_key": st.sampled_from([KEY, f"{KEY}\n{KEY}", f"{KEY} x", "ssh-rsa AAAA"]) | anything,
        "image": st.sampled_from(["image-2", "debian"]),
        "cloud_image": st.sampled_from(["image-2", "../x"]),
    },
)
#: Right in form, so that most of what is asked for comes as far as a judgement.
right_asks = st.fixed_dictionaries(
    {"use": st.sampled_from(["make", "prove"])},
    optional={
        "login_key": st.just(KEY),
    },
) | st.fixed_dictionaries(
    {
        "use": st.sampled_from(["make", "prove", "prove"]),
        "build": st.sampled_from([f"noble/{number}" for number in range(1, 10)]),
        "place": st.sampled_from([PLACE, PLACE, ELSEWHERE]),
    }
)
lone_labels = st.sampled_from([[PROVE], [PROVE], [MAKE]])
label_lists = st.lists(
    st.sampled_from([PROVE, PROVE, MAKE, "small", "prove/other", "prove/", "make/../noble"]),
    min_size=1,
    max_size=3,
)


@st.composite
def forgeries(draw: st.DrawFn) -> tuple[str, bytes]:
    """Return the id and the record of a request in a builder's name."""
    how = draw(st.sampled_from(["right", "right", "right", "near", "wild"]))
    doc = {
        **DOCS["builder's request"],
        "node_types": draw(lone_labels if how == "right" else label_lists),
        "provider": draw(st.sampled_from(["here", "here", "here", "there", None, "nowhere", 7])),
        "reuse": draw(st.sampled_from([False, True, None])),
        "relative_priority": draw(st.sampled_from([0, -5, 7])),
        IMAGE_KEY: draw({"right": right_asks, "near": near_asks, "wild": anything}[how]),
    }
    return draw(st.sampled_from(["000", "100", "900", "-5", ""])), raw_of(doc)


def library(made: World) -> None:
    """Put uploads of all kinds on record."""
    store_build(made, CURRENT, trying=None)
    store_build(made, TRIED, UploadState.VALIDATING)
    store_build(made, TRIED_THERE, UploadState.VALIDATING, trying="there")
    store_build(made, STORED, UploadState.STORED, trying=None)
    store_build(made, REJECTED, UploadState.REJECTED, trying=None)
    store_build(made, REVOKED, revoked=True)
    store_build(made, ABROAD, place=ELSEWHERE, trying=None)
    store_build(made, PROVEN, trying=None)
    store_build(made, FOREIGN, UploadState.VALIDATING, place=ELSEWHERE, trying="there")


def tell(made: World, forged: list[tuple[str, bytes]]) -> list[RequestId]:
    """Let the mirror tell of requests; return those that are there."""
    fold, known = quiet_fold(made), []
    for number, (priority, raw) in enumerate(forged):
        request_id = RequestId(f"{priority}-{7000 + number:010d}")
        path = paths.request(request_id)
        stored = Stored(path=path, value=raw, version=1)
        fold.fold(Put(path=path, stored=stored), now_s=NOW.mono_s - 10)
        known += [request_id] if request_id in made.queue.views else []
    return known


def settled(made: World) -> list[tuple[RequestId | None, Intent]]:
    """Return what a plan of everything would make, and for whom."""
    actions = of_kind(think(made), Claim, Grow)
    return [(getattr(one, "request", None), each) for one in actions for each in one.intents]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(forgeries(), min_size=1, max_size=4))
def test_no_forged_ask_boots_what_is_not_there_for_it(forged: list[tuple[str, bytes]]) -> None:
    """Neither what nobody tries here, nor what lies elsewhere, and one machine for each."""
    made = imaged(pools={"main": {"max-servers": 50}})
    library(made)
    made.take_agenda()
    known = tell(made, forged)

    made_for: dict[RequestId | None, int] = {}
    for request_id, intent in settled(made):
        made_for[request_id] = made_for.get(request_id, 0) + 1
        booted = None if intent.upload is None else str(intent.upload.build)
        assert booted in BOOTABLE[intent.label]
        assert intent.upload is None or intent.upload.place == PLACE
        if intent.label == PROVE and request_id is not None:
            ask = made.queue.views[request_id].request.image
            assert ask is not None
            assert ask.upload == intent.upload
        assert intent.login_key in {None, KEY}
    for request_id in known:
        labels = made.queue.views[request_id].request.labels
        builders = any(label in {MAKE, PROVE} for label in labels)
        assert made_for.get(request_id, 0) <= (1 if builders else len(labels))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(forgeries(), min_size=1, max_size=4))
def test_no_forged_ask_is_served_before_users(forged: list[tuple[str, bytes]]) -> None:
    """Whatever priority it gives itself: users who wait for the room have it first."""
    made = imaged(pools={"main": {"max-servers": 2}})
    library(made)
    users = [add_request(made, number, seen_s=NOW.mono_s - 5) for number in range(1, 4)]
    known = set(tell(made, forged))

    claimed = [one.request for one in of_kind(think(made), Claim)]
    assert known.isdisjoint(claimed)
    assert claimed == [users[0].id, users[1].id]


@settings(max_examples=100, derandomize=True, deadline=None)
@given(forgeries())
def test_no_forged_ask_is_lent_a_machine_that_was_made_for_another(
    forged: tuple[str, bytes],
) -> None:
    """A candidate of somebody else's trial, ready or not."""
    made = imaged()
    library(made)
    theirs = asking(made, ImageUse.PROVE, UploadId(BuildId("noble", TRIED), PLACE))
    launch = {"label": PROVE, "for_request": theirs.id, "image_build": "noble/2"}
    node = add_node(
        made, 1, step=Step.DONE, allocated_to=theirs.id, launch={**launch, "image_place": PLACE}
    )
    known = tell(made, [forged])

    lends = of_kind(think(made), Allocate)
    assert all(node.id not in one.nodes for one in lends if one.request in known)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(forgeries())
def test_what_can_be_read_of_an_ask_is_written_as_it_was(forged: tuple[str, bytes]) -> None:
    """A launcher writes requests anew, and its replicas read what it has written."""
    try:
        first = requests.decode(RequestId("900-0000000001"), forged[1])
    except CorruptRecordError:
        return
    raw = requests.encode(first)
    again = requests.decode(first.id, raw)

    json.loads(raw, parse_constant=pytest.fail)
    assert (again.image, again.labels, bool(again.unfit)) == (
        first.image,
        first.labels,
        bool(first.unfit),
    )


def test_a_build_that_lies_elsewhere_is_not_booted_by_its_id() -> None:
    """The cloud there chooses the ids of its images: it could name any image of ours."""
    made = imaged()
    library(made)
    view = asking(made, ImageUse.MAKE, UploadId(BuildId("noble", ABROAD), ELSEWHERE))
    plan = think(made)

    assert of_kind(plan, Claim, Decline) == []
    assert plan.verdicts[view.id].reason == "build noble/7 does not lie here"


def test_a_candidate_that_is_tried_elsewhere_is_not_booted_here() -> None:
    """Nor what nobody tries: builders write so before they ask."""
    for number, place in ((TRIED_THERE, PLACE), (STORED, PLACE), (FOREIGN, ELSEWHERE)):
        made = imaged()
        library(made)
        view = asking(made, ImageUse.PROVE, UploadId(BuildId("noble", number), place))
        plan = think(made)

        assert of_kind(plan, Claim, Decline) == []
        assert plan.verdicts[view.id].reason == f"build noble/{number} is not being tried here"


def test_a_candidate_is_booted_once_its_trial_is_on_record() -> None:
    """The request may be seen before that."""
    made = imaged()
    upload_id = store_build(made, 2, UploadState.STORED, trying=None)
    asking(made, ImageUse.PROVE, upload_id)
    assert builds(made) == []

    store_build(made, 2, UploadState.VALIDATING)
    assert builds(made) == ["noble/2"]


def test_a_builder_asks_for_one_machine() -> None:
    """Who asks for more is none."""
    made = imaged()
    labels = [MAKE] * 250
    view = add_request(
        made, 1, *labels, reuse=False, provider="here", image=ImageAsk(use=ImageUse.MAKE)
    )

    assert settled(made) == []
    assert [one.request for one in of_kind(think(made), Decline)] == [view.id]
    assert view.request.state is RequestState.REQUESTED


@pytest.mark.parametrize(
    ("state", "declines"),
    [(UploadState.MAKING, 0), (UploadState.PENDING, 0), (UploadState.REJECTED, 1)],
)
def test_a_record_that_is_read_again_declines_no_trial(state: UploadState, declines: int) -> None:
    """Its builder asks as soon as it has written: the request may be read before that."""
    made = imaged()
    view = asking(made, ImageUse.PROVE, store_build(made, 2, state), seen_s=NOW.mono_s - 10.0)
    plan = think(made)

    assert [one.request for one in of_kind(plan, Decline)] == [view.id] * declines
    assert of_kind(plan, Claim) == []
