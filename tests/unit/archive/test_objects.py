"""Archives in an object store: private with one signed address, and with an end."""

import gzip
import json
import re
from urllib.parse import urljoin, urlsplit

import pytest

from remuda.archive.objects import SIGNED_S, ObjectSink
from remuda.archive.places import opened, parse_place
from remuda.archive.sink import SinkError
from remuda.archive.trees import tree_of_texts
from remuda.archive.writer import Archive, Archived
from remuda.known_secrets import KNOWN
from remuda.redaction import redact_text
from tests.fakes.clock import ManualClock
from tests.fakes.object_store import FakeObjects, FakeSwift, Fate

_LOG = "a line of a log\n" * 100
_TREE = {"a/x.log": _LOG, "a/b.bin": "\0" * 10}


@pytest.fixture
def swift() -> FakeSwift:
    """Return an empty store."""
    return FakeSwift(ManualClock())


def keep(
    swift: FakeSwift, place: str = "c:logs/nightly", *, public: bool = False, keep_s: float = 60.0
) -> Archived:
    """Write an archive."""
    where = parse_place(place)
    objects, clock = FakeObjects(swift), swift.clock
    with (
        opened(where, objects, clock=clock, keep_s=keep_s, public=public) as sink,
        Archive(sink) as archive,
    ):
        archive.put(tree_of_texts(_TREE))
        return archive.finish()


def test_a_private_archive_has_one_address_that_opens_all_of_it(swift: FakeSwift) -> None:
    """The index, and with the same query what it leads to; nothing else, and no longer."""
    done = keep(swift)

    assert (done.files, done.failed, done.why) == (2, 0, "")
    assert done.url is not None
    assert re.search(r"c:logs/nightly/\d{8}T\d{6}Z-[0-9a-f]{32}$", done.place)
    code, page = swift.fetch(done.url)
    assert (code, b"a/index.html" in gzip.decompress(page)) == (200, True)
    query = urlsplit(done.url).query
    for name in ("a/x.log", "manifest.json"):
        bare = urljoin(done.url, name)
        assert swift.fetch(f"{bare}?{query}")[0] == 200
        assert swift.fetch(bare)[0] == 401
    assert "inline" in query
    assert query not in redact_text(f"GET {done.url}")
    assert "temp_url" not in done.place
    KNOWN.forget()


def test_nothing_signed_is_stored(swift: FakeSwift) -> None:
    """Whoever finds a page or a manifest later can open nothing with it."""
    keep(swift)

    stored = swift.accounts["p1"]["logs"].objects
    assert all(b"temp_url_sig=" not in data for _, data in stored.values())


def test_objects_end_by_themselves_and_say_what_they_are(swift: FakeSwift) -> None:
    """Texts are compressed; each object has its end, index and manifest too."""
    keep(swift, keep_s=3600.0)

    stored = swift.accounts["p1"]["logs"].objects
    now_s = swift.clock.now_s()
    assert {one.ends_s for one, _ in stored.values()} == {now_s + 3600}
    by_name = {name.partition("Z-")[2].partition("/")[2]: one for name, (one, _) in stored.items()}
    assert by_name["a/x.log"].content_encoding == "gzip"
    assert by_name["a/x.log"].content_type == "text/plain; charset=utf-8"
    assert by_name["a/b.bin"].content_encoding is None


def test_a_public_archive_needs_a_container_for_that(swift: FakeSwift) -> None:
    """One that is made for it, or is public already; what is private stays so."""
    done = keep(swift, "c:open", public=True)
    assert done.url is not None
    assert "temp_url" not in done.url
    assert swift.fetch(done.url)[0] == 200
    keep(swift, "c:open", public=True)

    keep(swift, "c:closed")
    with pytest.raises(SinkError, match="stays so"):
        keep(swift, "c:closed", public=True)
    FakeObjects(swift).plant("theirs")
    with pytest.raises(SinkError, match="stays so"):
        keep(swift, "c:theirs", public=True)
    with pytest.raises(SinkError, match="everybody can read the container open"):
        keep(swift, "c:open")


def test_a_second_try_is_made(swift: FakeSwift) -> None:
    """Whatever became of the first."""
    swift.next_fates.extend([Fate.LOST_CALL, Fate.LOST_REPLY, Fate.GARBLED])

    assert (keep(swift).files, keep(swift).failed) == (2, 0)


def test_no_room_ends_it(swift: FakeSwift) -> None:
    """And is said."""
    swift.next_fates.extend([Fate.NO_ROOM] * 20)

    done = keep(swift)

    assert (done.url, done.files) == (None, 0)
    assert done.why


def test_without_a_key_there_is_an_address_for_those_who_may(swift: FakeSwift) -> None:
    """A container of somebody else's gets no key from us."""
    FakeObjects(swift).plant("theirs")

    done = keep(swift, "c:theirs")

    assert done.url is not None
    assert done.url.endswith("/index.html")
    assert swift.fetch(done.url)[0] == 401


def test_a_signed_address_ends_with_what_it_opens(swift: FakeSwift) -> None:
    """Or after three days."""
    for keep_s, ends_s in ((60.0, 60), (SIGNED_S * 10.0, SIGNED_S)):
        url = keep(swift, keep_s=keep_s).url
        assert url is not None
        assert f"temp_url_expires={int(swift.clock.now_s()) + ends_s}" in url


def test_a_prefix_that_is_too_long_is_said(swift: FakeSwift) -> None:
    """Before anything is stored."""
    sink = ObjectSink(
        FakeObjects(swift), cloud="c", container="x", root="y" * 400, keep_s=1, clock=swift.clock
    )
    with pytest.raises(SinkError, match="too long"):
        sink.open()


def test_the_manifest_is_json(swift: FakeSwift) -> None:
    """With all files."""
    keep(swift)

    stored = swift.accounts["p1"]["logs"].objects
    raw = next(data for name, (_, data) in stored.items() if name.endswith("manifest.json"))
    text = raw.decode() if raw[:1] == b"{" else gzip.decompress(raw).decode()
    assert [one["name"] for one in json.loads(text)["files"]] == ["a/b.bin", "a/x.log"]
