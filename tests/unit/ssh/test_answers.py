"""What a program says is told from what its account says, in whatever pieces it comes."""

import pytest

from remuda.ssh.answers import Answers

NONCE = "0f" * 16
BEGIN, END = f"remuda-begins-{NONCE}\n".encode(), f"remuda-ended-{NONCE} 3\n".encode()


def _hear(data: bytes, size: int) -> tuple[Answers, bytes]:
    heard = bytearray()
    answers = Answers(NONCE, heard.extend)
    for at in range(0, len(data), size):
        answers.add(data[at : at + size])
    answers.flush()
    return answers, bytes(heard)


@pytest.mark.parametrize("size", [1, 2, 7, 46, 47, 48, 1000])
@pytest.mark.parametrize("noise", [b"", b"Welcome!\n1700000000\n", b"no newline: remuda-begins-"])
@pytest.mark.parametrize("output", [b"", b"1800000000\n", b"half a line, remuda-ended-"])
def test_only_what_stands_between_the_answers_counts(
    size: int, noise: bytes, output: bytes
) -> None:
    """Whatever the account says before, and what it left behind says afterwards."""
    answers, heard = _hear(noise + BEGIN + output + END + b"1900000000\n", size)

    assert heard == output
    assert (answers.begun, answers.code) == (True, 3)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_an_account_that_does_nothing_is_heard_in_its_own_words(size: int) -> None:
    """They say why."""
    answers, heard = _hear(b"This account is currently not available.\nremuda-beg", size)

    assert (answers.begun, answers.code, heard) == (False, None, b"")
    assert answers.noise().splitlines()[0] == "This account is currently not available."


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_an_answer_that_breaks_off_is_no_answer(size: int) -> None:
    """What might have become one is output after all."""
    answers, heard = _hear(BEGIN + b"output\n" + END[:-3], size)

    assert (answers.begun, answers.code) == (True, None)
    assert heard == b"output\n" + END[:-3]


@pytest.mark.parametrize("said", [b"-3\n", b"x\n", b"\n", b"99999999999999\n", b"9" * 500])
def test_a_code_that_is_none_is_not_believed(said: bytes) -> None:
    """Nor kept, however long it is."""
    answers, _ = _hear(BEGIN + END[:-2] + said, 1)

    assert answers.code is None


def test_noise_is_bounded() -> None:
    """Its end is kept."""
    answers, _ = _hear(b"x" * 100_000 + b"\nthe last words", 4096)

    assert len(answers.noise()) < 5000
    assert answers.noise().endswith("the last words")
