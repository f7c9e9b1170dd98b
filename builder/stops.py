"""Hands are told to stop when their work is over, or not ours any more."""

from dataclasses import dataclass, field
from threading import Event
from typing import Final

from builder.actions import Action
from builder.build.actions import Make
from builder.build.lifecycle import unwanted
from builder.takehome.actions import MakeTakeHome
from builder.upload.actions import Copy, Validate
from builder.world import World
from remuda.model.build import BuildState
from remuda.model.upload import UploadState

_BEING_MADE: Final = frozenset({BuildState.BUILDING, BuildState.SNAPSHOTTING})


def ours(world: World, action: Action) -> bool:
    """Whether what a hand of ours works on is still ours to work on."""
    match action:
        case Make():
            build = world.records.builds.get(action.id)
            return build is not None and (
                build.value.owner == world.me
                and build.value.state in _BEING_MADE
                and unwanted(build.value) is None
            )
        case Copy():
            upload = world.records.uploads.get(action.id)
            return upload is not None and (
                upload.value.owner == world.me and upload.value.state is UploadState.MAKING
            )
        case Validate():
            upload = world.records.uploads.get(action.id)
            return upload is not None and (
                upload.value.owner == world.me and upload.value.trying == action.provider
            )
        case MakeTakeHome():
            # In the first moments nobody has taken it yet: its hand does that itself.
            one = world.records.take_homes.get(action.id)
            return one is not None and one.value.owner in {None, world.me}
        case _:
            return True


@dataclass(slots=True)
class Stops:
    """Knows which hands are at work that can be told to stop."""

    world: World
    _stops: dict[str, tuple[Action, Event]] = field(default_factory=dict)

    def begin(self, action: Make | Copy | Validate | MakeTakeHome) -> Event:
        """Return what is set when the hand of an action is to stop."""
        stop = Event()
        self._stops[str(action.id)] = action, stop
        return stop

    def watch(self) -> None:
        """Tell hands to stop whose work somebody else has taken over, or nobody wants."""
        for action, stop in self._stops.values():
            if not stop.is_set() and not ours(self.world, action):
                stop.set()

    def stop_all(self) -> None:
        """Tell all hands to stop."""
        for _, stop in self._stops.values():
            stop.set()

    def ended(self, action: Action) -> None:
        """Forget the hand of an action."""
        known = self._stops.get(str(action.id))
        if known is not None and known[0] is action:
            del self._stops[str(action.id)]
