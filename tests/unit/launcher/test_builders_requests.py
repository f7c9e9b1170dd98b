"""Machines for builders: made where they were asked for, and charged to who asked."""

from dataclasses import replace

import pytest

from launcher.actions import Alarm
from launcher.claim.actions import Claim
from launcher.node.actions import Free
from launcher.request import writes as request_writes
from launcher.request.actions import Decline
from launcher.request.demand import CONFIG_READ_S
from launcher.server.actions import CreateServer
from remuda.cloud.api import Image
from remuda.model.ids import RequestId
from remuda.model.imageask import ImageAsk, ImageUse, image_label
from remuda.model.launch import Step
from remuda.model.request import RequestState, decode
from remuda.runtime.now import Now
from remuda.store.api import Op, Set
from tests.unit.launcher.imaged import booted, condemned, imaged
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, add_pool, add_request, of_kind, think

MINE, THEIRS = f"ssh-ed25519 {'A' * 68}", f"ssh-ed25519 {'B' * 68}"


@pytest.mark.parametrize("pin", ["here", "there"])
def test_a_builders_machine_is_made_where_it_was_asked_for_and_nowhere_else(pin: str) -> None:
    """What it is to boot lies there; and who is away makes it later."""
    made = imaged()
    ask = ImageAsk(use=ImageUse.MAKE)
    label = image_label("noble", ImageUse.MAKE)
    add_request(made, 1, label, priority="900", reuse=False, provider=pin, image=ask)

    assert bool(of_kind(think(made), Claim)) is (pin == "here")
    assert of_kind(think(made), Decline) == []


def test_what_a_builder_cannot_have_where_it_asks_fails_at_once() -> None:
    """Other providers leave its request alone, and would never decline it."""
    made = imaged()
    add_pool(made, "there", "main", "small")
    ask, label = ImageAsk(use=ImageUse.MAKE), image_label("noble", ImageUse.MAKE)
    theirs = add_request(made, 1, label, reuse=False, provider="here", image=ask)
    users = add_request(made, 2, "small", provider="here")

    states = [
        _state_after(request_writes.decline(made, one, "no", now_s=1.0)) for one in (theirs, users)
    ]
    assert states == [RequestState.FAILED, RequestState.REQUESTED]


def _state_after(ops: list[Op]) -> RequestState:
    (written,) = [op for op in ops if isinstance(op, Set)]
    return decode(RequestId("200-0000000001"), written.data).state


def test_the_key_of_a_builders_machine_is_that_of_its_intent() -> None:
    """Who may write requests cannot open a machine that was planned before: its builder sees why.

    A builder compares the launch with what it has asked for, and only launchers write launches.
    """
    made = imaged()
    ask = ImageAsk(use=ImageUse.MAKE, login_key=MINE)
    label = image_label("noble", ImageUse.MAKE)
    view = add_request(made, 1, label, priority="900", reuse=False, provider="here", image=ask)
    (claim,) = of_kind(think(made), Claim)
    assert [one.login_key for one in claim.intents] == [MINE]

    launched = {"label": label, "for_request": view.id, "login_key": MINE}
    node = add_node(made, 1, step=Step.PLANNED, server=None, launch={**launched, **booted(1)})
    view.request = replace(view.request, image=replace(ask, login_key=THEIRS))
    works = Works(made)
    works.cloud.images.append(Image(id="image-1", name="noble/1"))
    works.starter.start(CreateServer(node=node.id), NOW)
    ((_, create),) = works.workers.orders
    create()

    (server,) = works.cloud.orders.values()
    assert MINE in (server.user_data or "")
    assert THEIRS not in (server.user_data or "")


def test_a_builder_that_has_read_a_new_configuration_first_is_not_declined_at_once() -> None:
    """Nor does it wait for ever for an image that nobody configures here."""
    made = imaged()
    label = image_label("unknown", ImageUse.MAKE)
    ask = ImageAsk(use=ImageUse.MAKE, login_key=MINE)
    view = add_request(made, 1, label, priority="900", reuse=False, provider="here", image=ask)
    add_pool(made, "here", "main", "small")

    early = think(made)
    over_s = NOW.mono_s + CONFIG_READ_S
    late = think(made, Now(wall_s=NOW.wall_s + CONFIG_READ_S, mono_s=over_s))

    assert of_kind(early, Claim, Decline) == []
    assert "not in our configuration yet" in early.verdicts[view.id].reason
    assert Alarm(kind="request", name=view.id, due_s=over_s) in early.alarms
    assert [one.request for one in of_kind(late, Decline)] == [view.id]


@pytest.mark.parametrize("use", list(ImageUse))
def test_what_a_builder_died_over_is_no_stock(use: ImageUse) -> None:
    """Its machine waits for nobody: it would hold room, and the image that it boots, for ever."""
    made = imaged()
    launch = {"label": image_label("noble", use), **booted(1)}
    add_node(made, 1, allocated_to="900-0000000009", launch=launch)
    add_node(made, 2, launch=launch)
    add_node(made, 3)
    waiting = add_request(made, 1, launch["label"], reuse=False, provider="here")
    add_node(made, 4, launch={**launch, "for_request": waiting.id})

    assert [one.node for one in of_kind(think(made), Free)] == ["0000000001"]
    gone = "its request is gone, and it was made for that alone"
    assert condemned(made) == {"0000000002": gone}
