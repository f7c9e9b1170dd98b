"""What came to nothing waits, longer each time, until something has changed."""

from builder.delays import DELAY_S, DELAY_S_MAX, Delays

KEY = ("Make", "a/1")
PATH = "/a/1"


def paused(versions: dict[str, int], *, times: int = 1) -> tuple[Delays, float]:
    """Return waits after an action has failed so often, and when it failed last."""
    pauses, now_s = Delays(version=versions.get), 0.0
    for number in range(times):
        pauses.begin(KEY, [PATH])
        pauses.end(KEY, now_s, "why")
        if number < times - 1:
            now_s += DELAY_S_MAX
    return pauses, now_s


def test_waits_double_up_to_a_limit() -> None:
    """On the same records."""
    found = []
    for times in range(1, 8):
        pauses, now_s = paused({PATH: 3}, times=times)
        pause = pauses.holds(KEY, now_s)
        assert pause is not None
        found.append(pause.until_s - now_s)

    assert found == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


def test_a_wait_ends_with_its_time_or_with_a_change() -> None:
    """Also with the end of the record."""
    versions = {PATH: 3}
    pauses, now_s = paused(versions)
    assert pauses.holds(KEY, now_s + 29.9) is not None
    assert pauses.holds(KEY, now_s + 30.0) is None
    versions[PATH] = 4
    assert pauses.holds(KEY, now_s) is None

    gone = {PATH: 3}
    pauses, now_s = paused(gone)
    gone.clear()
    assert pauses.holds(KEY, now_s) is None


def test_what_has_changed_its_record_itself_does_not_wait() -> None:
    """The record says when it goes on."""
    versions = {PATH: 3}
    pauses = Delays(version=versions.get)
    pauses.begin(KEY, [PATH])
    versions[PATH] = 4
    pauses.end(KEY, 0.0, "the recipe failed")

    assert pauses.holds(KEY, 0.0) is None


def test_what_has_crashed_waits_whatever_has_changed() -> None:
    """Longer each time, as everything that comes to nothing."""
    versions, now_s, lengths = {PATH: 3}, 0.0, []
    pauses = Delays(version=versions.get)
    for _ in range(3):
        pauses.begin(KEY, [PATH])
        versions[PATH] += 1
        pauses.crashed(KEY, now_s, "boom")
        versions[PATH] += 1
        pause = pauses.holds(KEY, now_s)
        assert pause is not None
        lengths.append(pause.length_s)
        now_s = pause.until_s

    assert lengths == [30.0, 60.0, 120.0]


def test_after_a_change_the_first_wait_is_short_again() -> None:
    """It is another question."""
    versions = {PATH: 3}
    pauses, now_s = paused(versions, times=5)
    versions[PATH] = 4
    pauses.begin(KEY, [PATH])
    pauses.end(KEY, now_s, "why")

    pause = pauses.holds(KEY, now_s)
    assert pause is not None
    assert pause.length_s == DELAY_S


def test_what_nobody_asks_for_is_forgotten() -> None:
    """So that it takes no room for ever; what waits stays."""
    pauses, now_s = paused({PATH: 3})
    pauses.tidy(now_s)
    assert pauses.holds(KEY, now_s) is not None
    pauses.tidy(now_s + DELAY_S + DELAY_S_MAX + 1)
    assert pauses._waits == {}


def test_what_succeeded_or_began_in_another_session_does_not_wait() -> None:
    """Nothing speaks against it."""
    pauses, now_s = paused({PATH: 3})
    pauses.done(KEY)
    assert pauses.holds(KEY, now_s) is None
    pauses, now_s = paused({PATH: 3})
    pauses.forget()
    assert pauses.holds(KEY, now_s) is None
