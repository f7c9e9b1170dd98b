"""Bytes between two threads: whole, in order, and nobody waits for one that has left."""

import threading

import pytest

from remuda.archive.pipe import HELD_BYTES, BytePipe


def writing(pipe: BytePipe, pieces: int) -> tuple[threading.Thread, list[BaseException]]:
    """Write in a thread; return it, and what it raises."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(pieces):
                pipe.write(bytes([number % 256]) * 65_536)
        except BrokenPipeError as error:
            raised.append(error)
        pipe.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread, raised


def test_all_of_it_arrives_in_order() -> None:
    """More than is held at once."""
    pipe = BytePipe()
    thread, raised = writing(pipe, 100)
    got = b"".join(iter(pipe.read, b""))
    thread.join(60)

    assert got == b"".join(bytes([number]) * 65_536 for number in range(100))
    assert (raised, pipe.read()) == ([], b"")


def test_a_writer_learns_that_nobody_reads() -> None:
    """Also one that waits for room."""
    pipe = BytePipe()
    thread, raised = writing(pipe, 10_000)
    assert len(pipe.read()) <= HELD_BYTES + 65_536
    pipe.abandon()
    thread.join(60)

    assert len(raised) == 1
    with pytest.raises(BrokenPipeError):
        pipe.write(b"x")
