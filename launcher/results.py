"""What becomes of actions: each event, and each answer to a transaction, goes to its noun.

A rejected transaction changed nothing, and neither did one that an access control list forbids: the
mirror brings the news, and the node or request is judged again. When the outcome is unknown (no
connection), the mirror settles that, too. After each event whatever it concerns is on the agenda
again, and the next plan goes on from there.
"""

from dataclasses import dataclass, field

from launcher.actions import Action
from launcher.capsule.results import CapsuleResults
from launcher.capture.results import CaptureResults
from launcher.claim.results import ClaimResults
from launcher.events import Event
from launcher.guest.results import GuestResults
from launcher.hold.results import HoldResults
from launcher.hostkey.results import HostKeyResults
from launcher.lanes import Lane
from launcher.node.results import IntentResults, NodeResults
from launcher.provider.results import ProviderResults
from launcher.request.results import RequestResults
from launcher.server.results import ServerResults
from launcher.takehome.results import TakeHomeResults
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.dispatch import Dispatch
from remuda.frame.intake import Intake
from remuda.frame.work import Answers, ByKind, Finished, HandCrashed, Written
from remuda.metrics.sink import Metrics
from remuda.model import tags
from remuda.runtime.log import Log
from remuda.runtime.now import Now


@dataclass(slots=True)
class Results:
    """Takes in what becomes of actions."""

    world: World
    dispatch: Dispatch[Action, Lane]
    writer: Writer
    owner: tags.Owner
    log: Log
    metrics: Metrics
    intake: Intake[Action] = field(init=False)
    events: ByKind = field(init=False)
    answers: Answers = field(init=False)
    crashes: ByKind = field(init=False)

    def __post_init__(self) -> None:
        """Gather what takes in each kind of event and answer, and frees what a crash held."""
        world, writer, log, metrics = self.world, self.writer, self.log, self.metrics
        requests = RequestResults(world, writer, log, metrics)
        claims = ClaimResults(world, writer, requests, log)
        intents, keys = IntentResults(world, writer), writer.host_keys
        nodes = NodeResults(world, keys, log, metrics)
        captures, guests = CaptureResults(world, nodes, log), GuestResults(world, nodes, log)
        homes = TakeHomeResults(world, nodes, log, metrics)
        holds, host_keys = HoldResults(world, nodes, log), HostKeyResults(world, nodes, log)
        servers = ServerResults(world, keys, self.owner, log, metrics)
        provider = ProviderResults(world, log, metrics)
        capsules = CapsuleResults(world, log, metrics)
        self.intake = Intake(dispatch=self.dispatch, tree=writer.sender.tree, learner=self)
        self.events = {
            **intents.events(),
            **nodes.events(),
            **guests.events(),
            **holds.events(),
            **host_keys.events(),
            **servers.events(),
            **provider.events(),
            **capsules.events(),
        }
        self.answers = {
            **requests.answers(),
            **claims.answers(),
            **intents.answers(),
            **nodes.answers(),
            **captures.answers(),
            **guests.answers(),
            **homes.answers(),
            **holds.answers(),
            **host_keys.answers(),
            **provider.answers(),
        }
        self.crashes = {
            **requests.crashes(),
            **claims.crashes(),
            **nodes.crashes(),
            **captures.crashes(),
            **guests.crashes(),
            **homes.crashes(),
            **holds.crashes(),
            **host_keys.crashes(),
            **servers.crashes(),
            **provider.crashes(),
            **capsules.crashes(),
        }

    def take(self, event: Event, now: Now) -> None:
        """Take in one event."""
        self.world.stories.ended(event, now)
        if isinstance(event, Finished | Written | HandCrashed):
            self.intake.take(event, now)
        else:
            self.events[type(event)](event, now)

    def freed(self, action: Action) -> None:
        """Nothing: what the marks of views say follows the busy set."""

    def brought(self, action: Action, event: Event, now: Now) -> None:
        """See Learner."""
        del action
        self.events[type(event)](event, now)

    def written(self, event: Written[Action], now: Now) -> None:
        """See Learner."""
        take = self.answers.get(type(event.action))
        if take is not None:  # of a permission that is dropped, the mirror tells
            take(event.action, event, now)

    def crashed(self, event: HandCrashed[Action], now: Now) -> None:
        """See Learner."""
        free = self.crashes.get(type(event.action))
        if free is not None:
            free(event.action, now)
