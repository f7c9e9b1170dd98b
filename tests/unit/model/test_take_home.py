"""Records of take-home images: what is written is read, and states follow their table."""

import json

import pytest

from remuda.insight.takehomes import commands, said
from remuda.model.codec import CorruptRecordError
from remuda.model.holdwish import SnapshotWish
from remuda.model.ids import NodeId, ReplicaId, ServerId
from remuda.model.takehome import (
    EndWish,
    IllegalTakeHomeStepError,
    TakeHome,
    TakeHomeEvent,
    TakeHomeState,
    WantedEnd,
    decode_end_wish,
    decode_take_home,
    encode_end_wish,
    encode_take_home,
)

NODE = NodeId("3000000001")
WISH = SnapshotWish(
    token="s1", share_with="0123456789abcdef0123456789abcdef", public=False, for_s=9
)
FULL = TakeHome(
    node=NODE,
    state=TakeHomeState.WHOLE,
    wish=WISH,
    provider="here",
    pool="main",
    label="small",
    requestor="ci-7",
    by="ada",
    reason="red",
    since_s=5.0,
    owner=ReplicaId("b1"),
    attempt=1,
    login_key=f"ssh-ed25519 {'A' * 68}",
    server=ServerId("7f3c"),
    quieting_s=4.0,
    quiet=True,
    cloud_name="remuda-hold-3000000001-ff",
    asked_by_s=6.0,
    place="0123456789ab",
    cloud_image="7f3d",
    size_bytes=7,
    min_disk_gib=1,
    flavor="m1.small",
    cloud="north",
    region="one",
    username="debian",
    shared=True,
    trouble="a bit",
    ends_s=86_400.0,
    failure="no",
)


def test_a_record_survives() -> None:
    """All of it."""
    assert decode_take_home(NODE, encode_take_home(FULL)) == FULL
    for wish in (EndWish(by="ada", at_s=7.0), EndWish(by="ada", at_s=7.0, token="e1", for_s=60.0)):
        assert decode_end_wish(NODE, encode_end_wish(wish)) == wish


@pytest.mark.parametrize(
    ("doc", "wants"),
    [
        ({"wants": "now"}, WantedEnd.NOW),
        ({"wants": "later", "token": "e1"}, WantedEnd.LATER),
        ({}, WantedEnd.NOW),
        ({"token": "e1"}, WantedEnd.LATER),
    ],
)
def test_a_wish_for_an_end_says_which(doc: dict[str, str], wants: WantedEnd) -> None:
    """Those of older requestors say so by their token alone."""
    raw = json.dumps({"schema": 1, "by": "ada", "at_s": 7.0, **doc}).encode()
    assert decode_end_wish(NODE, raw).wants is wants


@pytest.mark.parametrize("doc", [{"wants": "now", "token": "e1"}, {"wants": "later"}])
def test_a_wish_that_says_two_things_wishes_nothing(doc: dict[str, str]) -> None:
    """One for more time that has lost its token deletes no image."""
    raw = json.dumps({"schema": 1, "by": "ada", "at_s": 7.0, **doc}).encode()
    with pytest.raises(CorruptRecordError, match="wants"):
        decode_end_wish(NODE, raw)


def test_states_follow_the_table() -> None:
    """An image that is there is not begun again."""
    assert FULL.after(TakeHomeEvent.OVER, now_s=9.0).state is TakeHomeState.ENDING
    with pytest.raises(IllegalTakeHomeStepError):
        FULL.after(TakeHomeEvent.TAKEN, now_s=9.0)


def test_a_developer_is_told_where_it_is_and_how_it_boots() -> None:
    """In a sentence, and two lines for a shell."""
    told = said(FULL)
    assert "image 7f3d in cloud north, region one until 1970-01-02 00:00 UTC" in told
    assert "flavor m1.small, login debian; a bit" in told
    accept, create = commands(FULL)
    assert accept == "openstack --os-region-name one image set --accept 7f3d"
    assert create.startswith("openstack --os-region-name one server create --image 7f3d --flavor")


@pytest.mark.parametrize("state", [one for one in TakeHomeState if one is not TakeHomeState.WHOLE])
def test_every_state_has_its_words(state: TakeHomeState) -> None:
    """And no command to boot what is not there."""
    one = TakeHome(node=NODE, state=state, wish=WISH, provider="p", pool="m", label="l")
    assert said(one)
    assert commands(one) == ()
