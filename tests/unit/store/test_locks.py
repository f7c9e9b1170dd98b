"""Whose turn it is, by the children's names alone."""

from remuda.store.api import Create, Delete
from remuda.store.locks import contenders, holder, prove_unlocked_ops, take_ops

KAZOO = "3671f7e143494a49a3fdf2a4db8408d2__lock__0000000006"
JENKINS = "1b4e28ba-2fa1-11d2-883f-0016d3cca427__lock__0000000004"
CURATOR = "_c_1b4e28ba-lock-0000000001"


def test_the_lowest_sequence_holds_whoever_wrote_it() -> None:
    """Both recipes count with the same parent's counter."""
    assert contenders([KAZOO, JENKINS]) == (JENKINS, KAZOO)
    assert holder([KAZOO, JENKINS]) == JENKINS


def test_other_names_are_invisible() -> None:
    """As they are for kazoo."""
    assert contenders([CURATOR, "lock", "x__lock__12", KAZOO]) == (KAZOO,)
    assert holder([CURATOR]) is None
    assert holder([]) is None


def test_taking_creates_directory_and_contender() -> None:
    """Ephemeral and sequential, below 32 hex digits."""
    directory, entry = take_ops("/l", b"us", stem="0" * 32 + "__lock__")

    assert directory == Create(path="/l")
    assert entry == Create(
        path="/l/" + "0" * 32 + "__lock__", data=b"us", ephemeral=True, sequence=True
    )
    assert take_ops("/l") != take_ops("/l")


def test_proving_depends_on_the_directory() -> None:
    """Only an empty directory can be deleted."""
    assert prove_unlocked_ops("/l", exists=True) == (Delete(path="/l"),)
    assert prove_unlocked_ops("/l", exists=False) == (Create(path="/l"), Delete(path="/l"))
