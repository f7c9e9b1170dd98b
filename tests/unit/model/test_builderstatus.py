"""What a builder says of itself fits, whatever it has to say."""

import pytest

from remuda.model.builderstatus import (
    STATUS_BYTES_MAX,
    BuilderStatus,
    decode_builder,
    encode_builder,
)
from remuda.model.codec import CorruptRecordError
from remuda.model.component import Replica, decode_replica, encode_replica
from remuda.model.ids import ReplicaId

ME = ReplicaId("me")
REPLICA = Replica(id=ME, hostname="h", pid=7, version="1", started_s=5.0, url="http://h:1")


def test_a_status_comes_back_as_it_was() -> None:
    """With who says it."""
    status = BuilderStatus(
        replica=REPLICA,
        waits={"a/1": "p: the cloud is away", "pointer of a in p": "the window"},
        alarms={"a": ("too old", "nothing comes of it")},
        providers={"a": ("north", "south"), "b": ()},
    )

    assert decode_builder(ME, encode_builder(status)) == status
    assert decode_replica(ME, encode_builder(status)) == REPLICA


def test_one_that_has_only_begun_waits_for_nothing() -> None:
    """Its ephemeral is made before it has judged anything."""
    assert decode_builder(ME, encode_replica(REPLICA)) == BuilderStatus(replica=REPLICA)


def test_it_never_takes_more_room_than_it_has() -> None:
    """Alarms come first; the rest is counted."""
    waits = {f"image-{number}/{number}": "\N{BUG}" * 4000 for number in range(3000)}
    raw = encode_builder(
        BuilderStatus(replica=REPLICA, waits=waits, alarms={"a": ("old" * 400,) * 500})
    )
    found = decode_builder(ME, raw)

    assert len(raw) <= STATUS_BYTES_MAX
    assert found.waits
    assert len(found.alarms["a"]) == 100
    assert found.left_out == len(waits) - len(found.waits)


def test_providers_are_said_completely_or_not_at_all() -> None:
    """Those that had no room would pass for orphans."""
    many = {f"image-{number}": ("north" * 10,) for number in range(3000)}
    found = decode_builder(ME, encode_builder(BuilderStatus(replica=REPLICA, providers=many)))

    assert found.providers is None


def test_text_of_strangers_is_cut_and_can_be_encoded() -> None:
    """Clouds say what they like."""
    status = BuilderStatus(replica=REPLICA, waits={"a": "\ud800" + "x" * 9000})
    (why,) = decode_builder(ME, encode_builder(status)).waits.values()

    assert len(why) <= 512
    why.encode()


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"waits": 3, "pid": 1}', b'{"alarms": {"a": "x"}}'])
def test_what_is_none_is_refused(raw: bytes) -> None:
    """Anybody may write there."""
    with pytest.raises(CorruptRecordError):
        decode_builder(ME, raw)
