"""What happened to a node lately, in a ring of bounded size, on the status page."""

import pytest

from launcher.claim.actions import Claim
from launcher.events import Event
from launcher.node.actions import Condemn, Prove
from launcher.node.events import Probed, Proved, ScriptBegun
from launcher.node.story import HAPPENINGS_MAX, NODES_MAX, SHOWN_MAX, WORDS_CHARS_MAX, Stories
from launcher.reporting import Reporter
from launcher.request.actions import Allocate
from launcher.server.events import Addressed, Created, Deleted
from remuda.cloud.api import NoRoomError
from remuda.frame.work import Finished, HandCrashed, Written
from remuda.metrics.sink import NullMetrics
from remuda.model.ids import NodeId, RequestId, ServerId
from remuda.ssh.api import Proof, ProofStep, StepTaken
from remuda.store.api import MissingError, StaleWriteError
from tests.unit.launcher.worlds import NOW, world

NODE = NodeId("0000000007")
OTHER = NodeId("0000000008")
PROVE = Prove(node=NODE)
FULL = StepTaken(step=ProofStep.CHECK, name="disk", ok=False, seconds=0.1, why="3 % free")


def told(stories: Stories, node: NodeId = NODE) -> list[tuple[str, str]]:
    """Return what is told of a node, without times."""
    return [(one.what, one.words) for one in stories.story(node)]


def test_a_story_has_what_was_begun_and_what_came_of_it() -> None:
    """With the reason that the judgement gave, and the words of whoever answered."""
    stories = Stories()
    stories.begun(PROVE, NOW)
    stories.ended(ScriptBegun(node=NODE, step=ProofStep.CHECK, name="disk", at_s=1.0), NOW)
    refused = Proved(node=NODE, proof=Proof(ok=False, steps=(FULL,)))
    stories.ended(Finished(action=PROVE, event=refused), NOW)
    stories.begun(Condemn(node=NODE, cause="disk: 3 % free"), NOW)

    assert told(stories) == [
        ("Prove begun", ""),
        ("ScriptBegun", "check disk"),
        ("Prove ended", "disk: 3 % free"),
        ("Condemn begun", "disk: 3 % free"),
    ]
    assert {one.at_s for one in stories.story(NODE)} == {NOW.wall_s}
    assert stories.story(OTHER) == ()


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Created(node=NODE, result=ServerId("s-1"), seconds=1.0), "s-1"),
        (Created(node=NODE, result=NoRoomError("quota of cores"), seconds=1.0), "quota of cores"),
        (Addressed(node=NODE, result=NoRoomError("no address is left")), "no address is left"),
        (Deleted(node=NODE, server=ServerId("s-1"), error=NoRoomError("busy")), "busy"),
        (Deleted(node=NODE, server=ServerId("s-1"), error=None), ""),
        (Probed(node=NODE, why=None, begun_s=0.0), "it answers"),
        (Probed(node=NODE, why="no route", begun_s=0.0), "no route"),
        (Proved(node=NODE, proof=Proof(ok=True)), "proven"),
        (HandCrashed(action=PROVE, why="KeyError"), "a bug of ours: KeyError"),
    ],
)
def test_outcomes_are_told_in_words(event: Event, words: str) -> None:
    """Whatever a hand brings."""
    stories = Stories()
    stories.ended(Finished(action=PROVE, event=event), NOW)

    assert told(stories) == [("Prove ended", words)]


def test_nodes_of_one_transaction_are_all_told_of_it() -> None:
    """Those handed out together, and those just born, whose ids come with the answer."""
    stories = Stories()
    allocate = Allocate(request=RequestId("200-1"), nodes=(NODE, OTHER))
    stories.begun(allocate, NOW)
    lost = StaleWriteError("/n", "somebody else wrote")
    stories.ended(Written(action=allocate, result=lost), NOW)
    claim = Claim(request=RequestId("200-1"), pool="main", intents=(), cause="asked for")
    stories.ended(Written(action=claim, result=(), made=("0000000009",)), NOW)

    assert told(stories) == told(stories, OTHER)
    assert told(stories) == [("Lend begun", "200-1"), ("Lend ended", "/n: somebody else wrote")]
    assert told(stories, NodeId("0000000009")) == [("Claim ended", "asked for")]


def test_a_story_is_bounded_in_every_direction() -> None:
    """A node without end, nodes without end, and a stranger who talks without end."""
    stories = Stories()
    for number in range(NODES_MAX + 1):
        stories.begun(Prove(node=NodeId(f"{number:010}")), NOW)
    for _ in range(HAPPENINGS_MAX + 1):
        stories.ended(Probed(node=NodeId("0000000001"), why="no\nroute " * 1000, begun_s=0.0), NOW)

    assert stories.story(NodeId("0000000000")) == ()
    story = stories.story(NodeId("0000000001"))
    assert len(story) == HAPPENINGS_MAX
    assert {"\n" in one.words or len(one.words) > WORDS_CHARS_MAX for one in story} == {False}
    latest = stories.latest()
    assert len(latest) == SHOWN_MAX
    assert list(latest)[-1] == "0000000001"


def test_the_status_page_shows_the_latest_stories() -> None:
    """As JSON, also of nodes that are gone."""
    made = world()
    made.stories.ended(Written(action=PROVE, result=MissingError("/n", "gone")), NOW)
    reporter = Reporter(world=made, metrics=NullMetrics())
    reporter.report(NOW)

    assert reporter.snapshot["stories"] == {
        NODE: [{"at_s": NOW.wall_s, "what": "Prove ended", "words": "/n: gone"}]
    }
