"""Worlds whose labels boot an image of ours, and what is on record of it."""

from typing import Any, Final

from launcher.claim.actions import Claim
from launcher.node.actions import Condemn, Grow
from launcher.node.view import NodeView
from launcher.policy import compile_policy
from launcher.provider.cloud import Recipe
from launcher.world import World
from remuda.config.model import Config
from remuda.model.build import Build, BuildState, Revocation, Why, encode_build
from remuda.model.image import BuildId, UploadId, Word
from remuda.model.imageask import ImageAsk, ImageUse, image_label
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.upload import Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Put, Stored
from tests.fakes.cloud import SMALL
from tests.unit.launcher.worlds import add_node, add_request, document, of_kind, think, world

PLACE: Final = "0123456789ab"
WORD: Final = Word(who="eve", why="it is bad", at_s=1.0)


def imaged(**changes: Any) -> World:
    """Return a world whose labels boot the image noble, of which build 1 is current."""
    doc = document(**changes)
    for pool in doc["providers"]["here"]["pools"].values():
        for making in pool["labels"].values():
            making["image"] = {"built": "noble"}
    doc["images"] = {"noble": {"base": {"name": "debian-12"}, "flavor": {"name": SMALL.name}}}
    made = world(**changes)
    made.adopt_policy(compile_policy(Config.model_validate(doc), "here"))
    made.cloud.recipes.clear()
    for key in made.policy.making:
        made.cloud.recipes[key] = Recipe(image=None, flavor=SMALL)
    store_build(made, 1)
    point(made, 1)
    return made


def store_build(
    made: World,
    number: int,
    state: UploadState = UploadState.USABLE,
    *,
    revoked: bool = False,
    version: int = 7,
    place: str = PLACE,
    trying: str | None = "here",
) -> UploadId:
    """Put a build with its upload on record."""
    build_id = BuildId("noble", number)
    upload_id = UploadId(build_id, place)
    revocation = Revocation(word=WORD) if revoked else None
    build = Build(
        id=build_id,
        state=BuildState.BUILT,
        why=Why.COMMAND,
        requested_s=1.0,
        since_s=1.0,
        revoked=revocation,
    )
    upload = Upload(
        id=upload_id, state=state, since_s=1.0, cloud_image=f"image-{number}", trying=trying
    )
    put(made, paths.build(build_id), encode_build(build))
    put(made, paths.upload(upload_id), encode_upload(upload), version)
    return upload_id


def point(made: World, current: int, **fields: Any) -> None:
    """Let our pointer name a build."""
    pointer = Pointer(image="noble", provider="here", place=PLACE, current=current, **fields)
    put(made, paths.pointer("noble", "here"), encode_pointer(pointer))


def put(made: World, path: str, data: bytes, version: int = 7) -> None:
    """Let the mirror tell of a record."""
    stored = Stored(path=path, value=data, version=version)
    made.images.take(Put(path=path, stored=stored))


def booted(number: int) -> dict[str, str]:
    """Return what the launch of a machine of a build says of it."""
    return {"image_build": f"noble/{number}", "image_place": PLACE}


def builds(made: World, **how: Any) -> list[str | None]:
    """Return the builds that a plan's intents boot."""
    plan = think(made, **how)
    intents = [intent for action in of_kind(plan, Claim, Grow) for intent in action.intents]
    return [None if one.upload is None else str(one.upload.build) for one in intents]


def condemned(made: World, **how: Any) -> dict[str, str]:
    """Return what a plan condemns, and why."""
    return {one.node: one.cause for one in of_kind(think(made, **how), Condemn)}


def asking(made: World, use: ImageUse, upload: UploadId | None = None, **fields: Any) -> Any:
    """Add a builder's request."""
    return add_request(
        made,
        90,
        image_label("noble", use),
        priority="900",
        reuse=False,
        provider="here",
        image=ImageAsk(use=use, upload=upload),
        **fields,
    )


def own(made: World, number: int, view: Any, launch: dict[str, Any]) -> NodeView:
    """Add a ready node that was made for a request alone."""
    return add_node(made, number, allocated_to=view.id, launch={"for_request": view.id, **launch})
