"""What a builder writes anew that somebody has emptied."""

from typing import Any

from remuda.model.image import BuildId, Word, decode_image
from remuda.model.pointer import Pointer, encode_pointer
from remuda.store import paths
from remuda.store.api import Set
from tests.unit.builder.bench import HERE
from tests.unit.builder.test_mind import ready

WORD = Word(who="ada", why="y", at_s=1.0)


def pointing(**fields: Any) -> bytes:
    """Return a pointer of the image a."""
    return encode_pointer(Pointer(image="a", provider="p", place=HERE, **fields))


def test_an_image_whose_record_was_emptied_goes_on_with_its_numbers() -> None:
    """Builds, also such as cannot be read, and pointers say how far it was."""
    for number, path, data in (
        (7, paths.build(BuildId("a", 7)), b"not readable"),
        (9, paths.pointer("a", "p"), pointing(current=9)),
        (12, paths.pointer("a", "p"), pointing(current=9, withdrawn={12: WORD})),
    ):
        bench = ready(a={"paused": True})
        bench.go()
        bench.store.ensure(path)
        bench.store.commit([Set(path=path, data=data, version=-1)])
        bench.store.commit([Set(path=paths.image("a"), data=b"", version=-1)])
        bench.go()

        image = bench.store.read(paths.image("a"))
        assert image is not None
        assert decode_image("a", image.value).last_build == number
