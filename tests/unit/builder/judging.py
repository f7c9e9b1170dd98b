"""What a builder knows, made of a few records, for tests of its judgements."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from builder.actions import Plan
from builder.place.view import ProviderFacts
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.images.library import Library
from remuda.model.build import Build, BuildState, Revocation, Why
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, Word
from remuda.model.pointer import Pointer
from remuda.model.tally import Tally
from remuda.model.upload import Method, Trial, TrialResult, Upload, UploadState
from remuda.store import paths
from remuda.store.api import Stored

ME: Final = ReplicaId("me")
NOW_S: Final = 100_000.0
PLACES: Final = {"p": "a" * 12, "q": "b" * 12}
HERE, THERE = PLACES.values()
POLICY: Final = ImagePolicy(image="a", fingerprint="f", groups=(("p", "q"),), backoff_s=60.0)
WORD: Final = Word(who="ada", why="bad kernel", at_s=1.0)
REVOKED: Final = Revocation(word=WORD)
Kind = TypeVar("Kind")


def build(number: int, state: BuildState = BuildState.BUILT, **more: Any) -> Build:
    """Return a build that was made in p."""
    first = Build(
        id=BuildId("a", number),
        state=state,
        why=Why.SCHEDULE,
        requested_s=NOW_S - 100.0,
        since_s=NOW_S - 100.0,
        fingerprint="f",
        group=("p", "q"),
        provider="p",
        place=HERE,
    )
    return replace(first, **more)


def upload(number: int, place: str = HERE, **more: Any) -> Upload:
    """Return an upload that is proven in the provider there."""
    passed = Trial(result=TrialResult.PASSED)
    first = Upload(
        id=UploadId(BuildId("a", number), place),
        state=UploadState.USABLE,
        since_s=NOW_S - 100.0,
        method=Method.NATIVE,
        cloud_image=f"i{number}",
        trials={name: passed for name, where in PLACES.items() if where == place},
    )
    return replace(first, **more)


def pending(number: int, **more: Any) -> Upload:
    """Return one that is to be copied to q."""
    bare = {"state": UploadState.PENDING, "method": None, "cloud_image": None, "trials": {}}
    return upload(number, THERE, **{**bare, **more})


def world(
    builds: Sequence[Build],
    uploads: Sequence[Upload] = (),
    pointers: Sequence[Pointer] = (),
    *,
    tallies: Sequence[Tally] = (),
    unreadable: tuple[str, ...] = (),
    away: Mapping[str, str] | None = None,
    **more: Any,
) -> WorldView:
    """Return what is known; *away* are providers in trouble."""
    troubles = away or {}
    image = ImageRecord(name="a", last_build=len(builds))
    library = Library(
        images={"a": Stored(path=paths.image("a"), value=image, version=7)},
        builds={one.id: Stored(path=paths.build(one.id), value=one, version=1) for one in builds},
        uploads={
            one.id: Stored(path=paths.upload(one.id), value=one, version=1) for one in uploads
        },
        pointers={
            ("a", one.provider): Stored(path=paths.pointer("a", one.provider), value=one, version=1)
            for one in pointers
        },
        tallies={
            ("a", one.provider): Stored(path=paths.tally("a", one.provider), value=one, version=1)
            for one in tallies
        },
        unreadable=unreadable,
    )
    first = WorldView(
        now_s=NOW_S,
        me=ME,
        builders=frozenset({ME}),
        mine=lambda _thing: True,
        library=library,
        policies={"a": POLICY},
        providers={
            name: ProviderFacts(name=name, place=place, trouble=troubles.get(name))
            for name, place in PLACES.items()
        },
    )
    return replace(first, **more)


def some(plan: Plan, kind: type[Kind]) -> list[Kind]:
    """Return the actions of a kind."""
    return [one for one in plan.actions if isinstance(one, kind)]
