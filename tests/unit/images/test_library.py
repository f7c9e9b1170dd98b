"""Reading all records of images: not image by image."""

from remuda.images import library
from tests.fakes.store import FakeStore
from tests.support.imageharness import ImageHarness


def _waits(images: int) -> int:
    """Return how often reading waits for the store, with so many images on record."""
    harness = ImageHarness()
    for number in range(images):
        harness.image(f"image-{number}")
        harness.build(1, f"image-{number}")
    store: FakeStore = harness.zookeeper.connect()
    asked: list[object] = []
    ask = store.wire.ask

    def counting(start: object) -> object:
        asked.append(start)
        return ask(start)  # type: ignore[arg-type]

    store.wire.ask = counting  # type: ignore[method-assign,assignment]
    found = library.read(store)

    assert (len(found.images), len(found.builds), found.unreadable) == (images, images, ())
    return len(asked)


def test_ten_times_as_many_images_are_waited_for_as_often() -> None:
    """Each kind of record is asked for all at once."""
    assert _waits(30) == _waits(3) < 20


def test_children_of_many_are_in_order_and_none_of_what_is_not_there() -> None:
    """As one by one."""
    store = ImageHarness().store
    store.ensure("/a/2", "/a/1", "/b")

    assert store.children_each(["/a", "/missing", "/b"]) == (("1", "2"), (), ())
    assert store.children_each([]) == ()
