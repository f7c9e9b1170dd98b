"""The smallest daemon of the frame: replicas write the names of labels on all below /things."""

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from remuda.cli.serving import process_options, serve
from remuda.config.model import Config
from remuda.frame.alarms import Alarms
from remuda.frame.checks import check_installation, unready
from remuda.frame.dispatch import Dispatch
from remuda.frame.lanes import Lanes
from remuda.frame.loop import Loop, Mind, start_all
from remuda.frame.process import Beginning, Process, Role, Worker
from remuda.frame.work import Busy, Finished, HandCrashed, WorkKind
from remuda.frame.workers import Workers
from remuda.membership.attendance import Attendance
from remuda.membership.installation import find_installation
from remuda.membership.membership import Membership
from remuda.membership.registration import Presence
from remuda.membership.rendezvous import assignee, lives
from remuda.membership.tree import Tree
from remuda.model.ids import ReplicaId
from remuda.runtime.now import Now
from remuda.store.api import Change, Put, Set, Stored, Synced
from remuda.web.pages import Readiness

STAMPERS: Final = "/stampers"
THINGS: Final = "/things"


class Lane(StrEnum):
    """The only one."""

    STAMP = "stamp"


class Stamp(str):  # noqa: SLOT000 - a value of no account
    """Write on the thing at this path, in a thread."""


KINDS: Final[Mapping[type, WorkKind[Lane]]] = {Stamp: WorkKind(Lane.STAMP, str)}


class Stamper(Role, Mind[Any], Worker):
    """Role, worker and mind in one; what a protocol lets be is left out."""

    kind = name = title = "stamper"
    provider = None

    def begin(self, beginning: Beginning) -> Worker:
        """Wire the parts together."""
        ground, self.config, self.me = beginning.ground, beginning.config, beginning.me.id
        self.installation = find_installation(ground.store, self.config.installation)
        self.things: dict[str, Stored[bytes]] = {}
        self.living: set[ReplicaId] = set()
        replica, self.ground = beginning.me.ephemeral(STAMPERS), ground
        membership = Membership(
            kind=self.kind,
            ground=ground,
            attendance=Attendance(),
            tree=Tree(ground, (STAMPERS, THINGS)),
            wanted=lambda: Presence(replica=replica),
            traces=lambda: (replica.path,) * (self.me in self.living),
        )
        self.dispatch: Dispatch[Stamp, Lane] = Dispatch(
            kinds=KINDS, busy=Busy(), lanes=Lanes(tuple(Lane)), places=lambda _: 2, ground=ground
        )
        self.workers: Workers[Stamp, object, Lane] = Workers(ground.inbox, KINDS, {Lane.STAMP: 2})
        self.loop: Loop[Any] = Loop(self, ground, Alarms(), membership)
        membership.join((STAMPERS, THINGS))
        return self

    def take_change(self, change: Change, now: Now) -> None:  # noqa: ARG002 - as a mind's
        """Note who lives, and what there is to stamp."""
        stored = change.stored if isinstance(change, Put) else None
        if isinstance(change, Synced):
            return
        if change.path.startswith(f"{STAMPERS}/"):
            note = self.living.add if lives(stored) else self.living.discard
            note(ReplicaId(change.path.rpartition("/")[2]))
        elif change.path.startswith(f"{THINGS}/") and stored is not None:
            self.things[change.path] = stored

    def take_event(self, event: Finished[Stamp, None], now: Now) -> None:  # noqa: ARG002
        """Free what has ended; a bug of ours is told, and the thing left alone."""
        news = self.dispatch.finished(event)
        if isinstance(news, HandCrashed):
            self.dispatch.tell(news)
            self.things.pop(news.action, None)

    def think(self, now: Now) -> None:
        """Have everything stamped that falls to us and says something else."""
        store, ink = self.ground.store, ",".join(sorted(self.config.labels)).encode()

        def start(action: Stamp) -> None:
            ops = [Set(path=str(action), data=ink, version=self.things[action].version)]
            work = partial(self.workers.submit, action, lambda: store.commit(ops))
            self.dispatch.start(action, work, now.mono_s)

        unlike = (path for path, stored in self.things.items() if stored.value != ink)
        ours = (path for path in unlike if assignee(path, self.living) == self.me)
        start_all(map(Stamp, ours), start, self.ground)

    def due_s(self) -> float:
        """Think when something comes."""
        return float("inf")

    def turn(self, *, wait_s_max: float) -> None:
        """Take one."""
        self.loop.turn(wait_s_max=wait_s_max)

    def wait_s(self) -> float:
        """As long as the loop may."""
        return self.loop.wait_s()

    def readiness(self) -> Readiness:
        """Say whether things are stamped."""
        return unready(self.loop.attendance) or Readiness(ok=True, reason="at work")

    def status(self) -> Mapping[str, Any]:
        """Show the things."""
        return {"things": len(self.things)}

    def reconfigure(self, config: Config) -> None:
        """Go on with other labels."""
        check_installation(config, self.kind, self.installation)
        self.config = config

    def stop(self) -> None:
        """Begin nothing more."""
        self.workers.stop()


@click.command()
@process_options
def main(config: Path, log_format: str, log_level: str) -> None:
    """Stamp things until told to stop."""
    serve("stamper", Process(config, Stamper()).run, log_format=log_format, log_level=log_level)


if __name__ == "__main__":
    main()
