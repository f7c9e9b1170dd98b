"""What a machine says is believed only if it is whole, typed and bounded."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.quiet.kinds import CHECKLIST, CLONE_KINDS, Kind, Residue, quiet_kinds, say
from builder.quiet.reports import (
    REPORT_CHARS_MAX,
    BadReportError,
    FailureClass,
    Phase,
    PhaseFailure,
    read_report,
)
from builder.quiet.scripts import read_clone, read_identity, read_prepare, read_quiet

KINDS = (*quiet_kinds(), Kind.SECRET)


def lines(*fields: tuple[str, str, str]) -> list[str]:
    """Return lines of a report."""
    return ["remuda\t" + "\t".join(one) for one in fields]


def whole(*residues: tuple[str, str], kinds: tuple[Kind, ...] = KINDS) -> list[str]:
    """Return the lines of a whole report of an assertion."""
    return [
        *lines(("begin", "assert", "-")),
        *lines(*(("applied", kind, "-") for kind in kinds)),
        *lines(*(("residue", kind, file) for kind, file in residues)),
        *lines(("end", "assert", str(len(residues)))),
    ]


def text(parts: list[str]) -> str:
    """Return lines as a machine prints them."""
    return "\n".join(parts) + "\n"


def test_a_whole_report_says_what_was_found() -> None:
    """Names come as they are, or in hexadecimal."""
    report = read_quiet(text(whole(("dhcp", "/var/lib/dhcp/a"), ("secret", "hex:2f61200a"))))

    assert report.residues == (Residue(Kind.DHCP, "/var/lib/dhcp/a"), Residue(Kind.SECRET, "/a \n"))
    assert not report.ok
    assert say(report.residues) == "not quiet: dhcp in /var/lib/dhcp/a, secret in /a \\n"


def test_other_words_stand_between() -> None:
    """Tools complain where they like; other phases report before and after."""
    noise = ["rm: cannot remove", *lines(("begin", "quiet", "-"), ("end", "quiet", "0"))]

    assert read_quiet(text([*noise, *whole(), "bye"])).ok


@pytest.mark.parametrize("left_out", range(len(whole(("dhcp", "/x")))))
def test_no_line_can_be_lost(left_out: int) -> None:
    """Of a report with a finding each line is needed."""
    parts = whole(("dhcp", "/x"))
    del parts[left_out]

    with pytest.raises(BadReportError):
        read_quiet(text(parts))


@pytest.mark.parametrize("cut", range(2, len(text(whole())) - 1, 7))
def test_a_report_that_is_cut_off_is_none(cut: int) -> None:
    """Wherever the connection broke."""
    with pytest.raises(BadReportError):
        read_quiet(text(whole())[:-cut])


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [*whole(), *whole()],
        [*whole(("dhcp", "/x"))[:-1], *lines(("end", "assert", "2"))],
        [*whole(("dhcp", "/x"))[:-1], *lines(("end", "clone", "1"))],
        whole(("no-such-kind", "/x")),
        whole(("dhcp", "hex:zz")),
        whole(("dhcp", "/" + "x" * 9000)),
        whole(kinds=(*KINDS, Kind.DHCP)),
        whole(kinds=CLONE_KINDS),
        [*whole()[:-1], "remuda\tend\tassert"],
        [*whole()[:-1], *lines(("shout", "x", "y"), ("end", "assert", "0"))],
        [*whole()[:-1], *lines(("failed", "because", "y"))],
        [*whole()[:-1], *lines(("identity", "-", "{}"), ("end", "assert", "0"))],
        whole(*(("dhcp", str(at)) for at in range(1001))),
    ],
)
def test_what_is_no_whole_report_proves_nothing(parts: list[str]) -> None:
    """Two, none, unknown words, other numbers: nothing of it counts."""
    with pytest.raises(BadReportError):
        read_quiet(text(parts))


def test_gigabytes_are_not_looked_at() -> None:
    """More than the scripts ever print is no report; the sentence is short."""
    with pytest.raises(BadReportError, match="more than") as caught:
        read_quiet("x" * REPORT_CHARS_MAX + text(whole()))

    assert len(str(caught.value)) < 200


def test_quieting_that_gave_up_is_no_clean_machine() -> None:
    """It is the report, and an assertion that follows is none."""
    gave_up = lines(("begin", "quiet", "-"), ("failed", "other-machine", "me"))

    assert read_quiet(text(gave_up)).failure == PhaseFailure(FailureClass.OTHER_MACHINE, "me")
    with pytest.raises(BadReportError):  # nothing comes after it
        read_quiet(text([*gave_up, *whole()]))


def test_a_phase_that_gave_up_says_why() -> None:
    """It needs no end."""
    report = read_prepare(text(lines(("begin", "prepare", "-"), ("failed", "lock-held", "/a"))))

    assert report.failure == PhaseFailure(FailureClass.LOCK, "/a")
    assert not report.ok


@given(st.text(max_size=300))
def test_no_text_breaks_the_readers(said: str) -> None:
    """They return or refuse, whatever comes, in one short line."""
    for read in (read_quiet, read_prepare, read_identity, read_clone):
        with pytest.raises(BadReportError) as caught:
            read(said)
        assert len(str(caught.value)) < 500


WORDS = st.sampled_from(["begin", "end", "residue", "applied", "failed", "identity", "x", ""])
FIELDS = st.one_of(
    st.sampled_from([*Kind, *Phase, *FailureClass, "-", "0", "1", "hex:00", "{}"]),
    st.text(max_size=20),
)


@given(st.lists(st.tuples(WORDS, FIELDS, FIELDS), max_size=30))
def test_no_lines_break_the_readers(parts: list[tuple[str, str, str]]) -> None:
    """Lines in our own form do not, either: what is returned is typed and bounded."""
    said = text(lines(*parts))
    for phase in Phase:
        try:
            report = read_report(said, phase)
        except BadReportError:
            continue
        assert all(isinstance(one.kind, Kind) for one in report.residues)
        assert report.phase is phase


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.binary(min_size=1, max_size=40)), max_size=20))
def test_names_of_any_bytes_come_back(found: list[tuple[Kind, bytes]]) -> None:
    """In hexadecimal, as the scripts write odd ones."""
    said = text(whole(*((kind, f"hex:{name.hex()}") for kind, name in found)))

    report = read_quiet(said)

    expected = tuple(Residue(kind, name.decode(errors="replace")) for kind, name in found)
    assert report.residues == expected


def test_terminals_are_not_steered() -> None:
    """What is said of a finding hides nothing and is short."""
    evil = [Residue(Kind.SECRET, "\x1b]0;x\x07" + "y" * 5000)] * 10

    assert "\x1b" not in say(evil)
    assert say(evil).endswith("and 7 more")
    assert len(say(evil)) < 2000


def test_the_login_goes_last() -> None:
    """And whatever may still change a machine goes before it is looked at: packages first."""
    order = [item.kind for item in CHECKLIST]

    assert order[0] is Kind.PACKAGES
    assert order[-1] is Kind.LOGIN_KEYS
    assert len(set(order)) == len(order)
    assert all(a != b for a, b in pairwise(order))


def test_kinds_that_may_not_stay_are_refused() -> None:
    """With the sentence that names those that may."""
    assert Kind.CREDENTIALS not in quiet_kinds([Kind.CREDENTIALS])
    with pytest.raises(ValueError, match=r"host-keys cannot stay .* credentials"):
        quiet_kinds([Kind.HOST_KEYS])
