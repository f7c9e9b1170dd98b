"""Starting what is written of images."""

from dataclasses import dataclass

from launcher.image import writes
from launcher.image.actions import NoteUse
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class ImageStarts:
    """Starts writes; none of its methods waits."""

    world: World
    writer: Writer

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {NoteUse: self._note_use}

    def _note_use(self, action: NoteUse, now: Now) -> None:
        # What comes of it the mirror tells; if that is nothing, it is tried again after a while,
        # though the request that was the use is long served.
        self.world.images.noted_s[action.image] = now.mono_s
        self.world.images.unnoted[action.image] = action.at_s
        self.writer.send(action, writes.note_use(self.world, action))
