"""The output of a build in parts, with its beginning and its end kept: pure book-keeping."""

from remuda.images.buildlog import MAKING_ROOM, PART_BYTES, Room


class LogPages:
    """What is kept of a stream.

    Attributes:
        parts: By index; all but the last of the head and of the tail are full.
        size: Bytes of the stream so far; where the next one goes.
        dropped: Bytes that are not kept.
    """

    def __init__(self, room: Room = MAKING_ROOM) -> None:
        self._room = room
        self.parts: dict[int, bytes] = {}
        self.size = 0
        self.dropped = 0

    @property
    def head_full(self) -> bool:
        """Whether all that comes now may be dropped later."""
        return self.size >= self._room.head_parts * PART_BYTES

    def append(self, data: bytes) -> None:
        """Take more of the stream."""
        done = 0
        while done < len(data):
            index, used = divmod(self.size, PART_BYTES)
            piece = data[done : done + PART_BYTES - used]
            self.parts[index] = self.parts.get(index, b"") + piece
            self.size += len(piece)
            done += len(piece)
        tail = sorted(one for one in self.parts if one >= self._room.head_parts)
        for index in tail[: -self._room.tail_parts]:
            self.dropped += len(self.parts.pop(index))

    def skip(self, size: int) -> None:
        """Leave out *size* bytes, and all of the tail before them; the head has to be full."""
        for index in [one for one in self.parts if one >= self._room.head_parts]:
            self.dropped += len(self.parts.pop(index))
        self.dropped += size
        # A part begins where its index says.
        self.size = -(-(self.size + size) // PART_BYTES) * PART_BYTES
