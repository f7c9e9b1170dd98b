"""Containers: private, ours, and read by others only as we say."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

import pytest

from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    Fence,
    GoneError,
    InUseError,
    NotSentError,
    unfenced,
)
from remuda.cloud.objects import ObjectOrder, ObjectStore
from remuda.cloud.openstack_objects import OpenStackObjects
from remuda.redaction import redact_text
from tests.contract.cloud.bench import Bench
from tests.fakes.object_store import FakeObjects

_NUMBERS: Final = count()
_DATA: Final = b"<p>what a job has left</p>"
_ORDER: Final = ObjectOrder(name="a b/ü.html", bytes_max=1000, content_type="text/html")


@pytest.fixture
def box(bench: Bench) -> Iterator[str]:
    """The name of a container, which is deleted if it was made."""
    name = f"contract-{next(_NUMBERS)}-container"
    yield name
    try:
        for each in bench.objects.list_objects(name):
            bench.objects.delete(name, each.name)
    except GoneError:
        return
    bench.objects.delete_container(name)


def test_container_is_made_once_and_private(bench: Bench, box: str) -> None:
    """Whoever asks again gets the same."""
    made, again = bench.objects.make_container(box), bench.objects.make_container(box)

    assert made == again == bench.objects.get_container(box)
    assert made.ours
    assert not made.public
    bench.objects.put(box, _ORDER, [_DATA])
    assert bench.fetch(bench.objects.url(box, _ORDER.name))[0] in {401, 403}


def test_public_container_is_read_by_everybody_until_it_is_not(bench: Bench, box: str) -> None:
    """By the names of objects only."""
    bench.objects.make_container(box)
    bench.objects.put(box, _ORDER, [_DATA])
    url = bench.objects.url(box, _ORDER.name)

    bench.objects.set_public(box, public=True)
    bench.objects.set_public(box, public=True)

    assert bench.objects.get_container(box).public
    bench.until(lambda: bench.fetch(url) == (200, _DATA), "everybody reads it")
    bench.objects.set_public(box, public=False)
    assert not bench.objects.get_container(box).public
    bench.until(lambda: bench.fetch(url)[0] in {401, 403}, "nobody reads it")


def test_signed_url_is_good_for_its_object_alone(bench: Bench, box: str) -> None:
    """Also one signed later: the key stays. It does not print, nor does its signature."""
    bench.objects.make_container(box)
    bench.objects.put(box, _ORDER, [_DATA])
    other = ObjectOrder(name="other", bytes_max=1000)
    bench.objects.put(box, other, [b"secret"])

    url = bench.objects.signed_url(box, _ORDER.name, for_s=300)
    again = bench.objects.signed_url(box, _ORDER.name, for_s=600, inline=True)

    query = url.reveal().partition("?")[2]
    signature = query.partition("temp_url_sig=")[2].partition("&")[0]
    assert bench.fetch(url.reveal()) == bench.fetch(again.reveal()) == (200, _DATA)
    assert bench.fetch(f"{bench.objects.url(box, 'other')}?{query}")[0] in {401, 403}
    assert bench.fetch(url.reveal().replace(signature, "0" * 64))[0] in {401, 403}
    assert len(signature) == 64
    assert signature not in redact_text(f"GET {url.reveal()} failed")
    assert "temp_url" not in f"{url} {url!r}"


def test_signed_prefix_is_good_for_all_below_it(bench: Bench, box: str) -> None:
    """An index page and what it shows."""
    bench.objects.make_container(box)
    for name in ("job/1/index.html", "job/1/log.txt", "job/2/log.txt"):
        bench.objects.put(box, ObjectOrder(name=name, bytes_max=1000), [_DATA])

    url = bench.objects.signed_url(box, "job/1/", for_s=300, whole=True).reveal()

    base, _, query = url.partition("?")
    assert bench.fetch(f"{base}index.html?{query}") == (200, _DATA)
    assert bench.fetch(f"{base}log.txt?{query}") == (200, _DATA)
    elsewhere = base.removesuffix("job/1/") + "job/2/log.txt"
    assert bench.fetch(f"{elsewhere}?{query}")[0] in {401, 403}


def _foreign(bench: Bench, box: str) -> None:
    """Make a container that has another's mark, or none."""
    if isinstance(bench.objects, FakeObjects):
        bench.objects.plant(box)
        return
    assert isinstance(bench.objects, OpenStackObjects)
    bench.objects._mark = "somebody else"
    try:
        bench.objects.make_container(box)
    finally:
        bench.objects._mark = "remuda"


def test_container_of_others_stays_as_it_is(bench: Bench, box: str) -> None:
    """Objects are stored there, if somebody says so."""
    _foreign(bench, box)

    assert not bench.objects.make_container(box).ours
    bench.objects.put(box, _ORDER, [_DATA])
    for change in (
        lambda: bench.objects.set_public(box, public=True),
        lambda: bench.objects.delete_container(box),
        lambda: bench.objects.signed_url(box, _ORDER.name, for_s=300),
    ):
        with pytest.raises(BadOrderError, match="not made by us"):
            change()
    assert not bench.objects.get_container(box).public
    bench.objects.delete(box, _ORDER.name)
    if isinstance(bench.objects, OpenStackObjects):
        bench.objects._mark = "somebody else"
        bench.objects.delete_container(box)
        bench.objects._mark = "remuda"
    elif isinstance(bench.objects, FakeObjects):
        bench.objects._boxes.pop(box)


def test_other_project_has_no_right(bench: Bench, box: str) -> None:
    """Its containers of the same name are its own."""
    theirs = bench.other_objects()
    if theirs is None:
        pytest.skip("there is no other project here")
    bench.objects.make_container(box)
    bench.objects.put(box, _ORDER, [_DATA])

    with pytest.raises(CloudError):
        theirs.get(box, _ORDER.name)
    assert bench.objects.get(box, _ORDER.name).size_bytes == len(_DATA)


def test_container_with_objects_stays(bench: Bench, box: str) -> None:
    """What somebody keeps is not deleted along with it."""
    bench.objects.make_container(box)
    bench.objects.put(box, _ORDER, [_DATA])

    with pytest.raises(InUseError):
        bench.objects.delete_container(box)


@pytest.mark.parametrize(
    "call",
    [
        lambda objects, box, fence: objects.put(box, _ORDER, [_DATA], fence=fence),
        lambda objects, box, fence: objects.set_public(box, public=True, fence=fence),
        lambda objects, box, fence: objects.delete_container(box, fence=fence),
    ],
)
def test_fence_holds_changes_back(
    bench: Bench, box: str, call: Callable[[ObjectStore, str, Fence], object]
) -> None:
    """It is asked last thing before them."""
    bench.objects.make_container(box)

    with pytest.raises(NotSentError, match="no longer ours"):
        call(bench.objects, box, lambda: "no longer ours")
    assert bench.objects.list_objects(box) == ()
    assert not bench.objects.get_container(box).public
    assert unfenced() is None
