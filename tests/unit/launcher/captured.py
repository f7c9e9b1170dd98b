"""Worlds in which the holder of a node asks for an image of its machine."""

from dataclasses import replace
from typing import Any, Final

from launcher.capture.actions import AnswerCapture
from launcher.node.view import LockView, NodeView
from launcher.policy import compile_policy
from launcher.world import World
from remuda.config.model import Config
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.capture import Capture, CaptureAsk, Captured, ask_fields
from remuda.model.ids import NodeId
from remuda.model.image import BuildId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Put, Stored
from tests.unit.launcher.worlds import NOW, add_node, document, of_kind, think
from tests.unit.launcher.worlds import world as bare

CONTENDER: Final = f"{'0' * 32}__lock__0000000000"
ASK: Final = CaptureAsk(image="oneiric", token="t1", contender=CONTENDER, at_s=NOW.wall_s)
KEY: Final = f"ssh-ed25519 {'B' * 68}"
BUILD: Final = BuildId("oneiric", 3)
RULE: Final = {"labels": ["small"], "requestors": ["ci-.*"]}


def world(*, secret: bool = False, rule: Any = None, **provider: Any) -> World:
    """Return a world in which oneiric may be captured of small nodes."""
    doc = document(ssh_key_file="/k", **provider)
    doc["labels"]["small"]["secret"] = secret
    doc["images"] = {
        "oneiric": {"capture": rule or RULE, "flavor": {"name": "any"}},
        "noble": {"base": {"name": "debian-12"}, "flavor": {"name": "any"}},
    }
    made = bare()
    made.adopt_policy(compile_policy(Config.model_validate(doc), "here"))
    return made


def asked(
    made: World, ask: CaptureAsk = ASK, *, launch: dict[str, Any] | None = None, **fields: Any
) -> NodeView:
    """Add a node in use, under its lock, whose holder asks."""
    said = {"requestor": "ci-7", **ask_fields(ask), **fields}
    state = said.pop("state", NodeState.IN_USE)
    view = add_node(made, 1, state=state, allocated_to="200-1", launch=launch, **said)
    view.lock = LockView(exists=True, contenders=frozenset({CONTENDER}))
    made.touch_node(view)
    return view


def answered(made: World) -> Capture:
    """Return the answer that is planned."""
    (action,) = of_kind(think(made), AnswerCapture)
    assert action.held is (action.capture.refused is None)
    found: Capture = action.capture
    return found


def taken(build: BuildId | None = None, **changes: Any) -> dict[str, Any]:
    """Return what the launch says of a capture that was taken."""
    ask = replace(ASK, **changes)
    return {"capture": Capture(ask=ask, requestor="ci-7", build=build)}


def begin(made: World, state: BuildState = BuildState.BUILDING, **fields: Any) -> None:
    """Put the build of the first node's machine on record."""
    machine = Captured(
        node=NodeId("0000000001"),
        provider="here",
        pool="main",
        label="small",
        requestor="ci-7",
        token="t1",
    )
    one = Build(
        id=BUILD,
        state=state,
        why=Why.CAPTURE,
        requested_s=1.0,
        since_s=1.0,
        **{"captured": machine, **fields},
    )
    stored = Stored(path=paths.build(BUILD), value=encode_build(one), version=4)
    made.images.take(Put(path=stored.path, stored=stored))
