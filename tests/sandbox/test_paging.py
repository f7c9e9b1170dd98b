"""Lists: limit, marker, order, and microversions."""

import pytest

from sandbox.web import microversion
from sandbox.web.errors import ApiError
from sandbox.web.paging import cut, next_query, order, read_limit, same

LETTERS = tuple("abcde")


def test_pages_cover_everything_once() -> None:
    """Going from marker to marker ends after the last item."""
    seen: list[str] = []
    marker: str | None = None
    for _ in range(10):
        page = cut(LETTERS, marker=marker, limit=2, id_of=str)
        seen += page.items
        marker = page.next_marker
        if marker is None:
            break

    assert list(LETTERS) == seen


def test_page_that_ends_exactly_has_no_next() -> None:
    """No client is sent to an empty page."""
    assert cut(LETTERS, marker="c", limit=2, id_of=str).next_marker is None


def test_unknown_marker_is_refused() -> None:
    """As Nova does when the marker was deleted meanwhile."""
    with pytest.raises(ApiError, match=r"marker \[z\] not found"):
        cut(LETTERS, marker="z", limit=2, id_of=str)


@pytest.mark.parametrize(("text", "limit"), [(None, 5), ("3", 3), ("9", 5), ("0", 5), ("", 5)])
def test_limit_is_at_most_the_configured_one(text: str | None, limit: int) -> None:
    """Nothing said, or 0, means as many as allowed."""
    assert limit == read_limit(text, 5)


def test_limit_that_is_no_number_is_refused() -> None:
    """With 400."""
    with pytest.raises(ApiError) as caught:
        read_limit("many", 5)

    assert caught.value.status == 400


def test_next_query_keeps_filters() -> None:
    """Only the marker changes."""
    query = next_query([("name", "a"), ("marker", "old"), ("limit", "2")], "m")

    assert query == "name=a&limit=2&marker=m"


def test_order_by_several_keys() -> None:
    """The first key is the most important; nothing comes before something."""
    docs = [{"a": 2, "b": "x"}, {"a": 1, "b": "y"}, {"a": 1, "b": "x"}, {"a": None, "b": "z"}]

    ordered = order(docs, ["a", "b"], ["asc", "desc"])

    assert [doc["b"] for doc in ordered] == ["z", "y", "x", "x"]


def test_same_compares_as_queries_are_written() -> None:
    """Truth in any case, lists by membership, null as empty."""
    assert same(True, "True")  # noqa: FBT003
    assert not same(False, "true")  # noqa: FBT003
    assert same(["a", "b"], "a")
    assert same(None, "")
    assert same(5, "5")


def test_microversions() -> None:
    """Both headers, latest, nothing, nonsense and too new."""
    assert microversion.asked({}) == microversion.LOWEST
    assert microversion.asked({"OpenStack-API-Version": "compute 2.60"}) == (2, 60)
    assert microversion.asked({"X-OpenStack-Nova-API-Version": "2.11"}) == (2, 11)
    assert microversion.asked({"OpenStack-API-Version": "compute latest"}) == microversion.HIGHEST
    assert microversion.asked({"OpenStack-API-Version": "volume 3.5"}) == microversion.LOWEST
    for value, status in (("2.x", 400), ("2.999", 406), ("1.9", 406)):
        with pytest.raises(ApiError) as caught:
            microversion.asked({"X-OpenStack-Nova-API-Version": value})
        assert status == caught.value.status
