"""Worlds whose labels boot an image that is made on first use."""

from typing import Any, Final

from launcher.claim.actions import Claim
from launcher.node.actions import Grow, Intent
from launcher.policy import Policy, compile_policy
from launcher.provider.cloud import Recipe
from launcher.world import World
from remuda.cloud.api import Server, ServerStatus
from remuda.config.model import Config
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.ids import ServerId
from remuda.model.image import BuildId, UploadId
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.upload import Upload, UploadState, encode_upload
from remuda.store import paths
from tests.fakes.cloud import DEBIAN, SMALL
from tests.unit.launcher.imaged import PLACE, point, put, store_build
from tests.unit.launcher.worlds import (
    add_node,
    document,
    of_kind,
    think,
    world,
)

KEY: Final = ("main", "small")
STEPS: Final = [{"command": "true", "timeout": 100, "retries": 1}]
TTL_S: Final = 7200.0
RUNNING: Final = Server(
    id=ServerId("server-1"), name="n", status=ServerStatus.ACTIVE, public_ipv4="198.18.0.1"
)


def configured(*, steps: Any = STEPS, base: Any = None, **changes: Any) -> Policy:
    """Return the policy of a provider whose small machines boot an image made on first use."""
    doc = document(**changes)
    for pool in doc["providers"]["here"]["pools"].values():
        pool["labels"] = {"small": {**pool["labels"]["small"], "image": {"built": "noble"}}}
    doc["providers"]["here"]["ssh-key-file"] = "/nowhere/key"
    base = base or {"name": "debian-12"}
    recipe = {"base": base, "flavor": SMALL.name, "steps": steps, "build": "on-demand"}
    parent = {"base": {"name": "debian-12"}, "flavor": SMALL.name}
    doc["images"] = {"noble": {**recipe, "ttl": TTL_S}, "jammy": parent}
    return compile_policy(Config.model_validate(doc), "here")


def first(**changes: Any) -> World:
    """Return a world with that policy, in which nothing of the image is there."""
    made = world(**{key: one for key, one in changes.items() if key in ("labels", "pools")})
    made.adopt_policy(configured(**changes))
    made.cloud.recipes.clear()
    for key in (*made.policy.making, *made.policy.plain):
        made.cloud.recipes[key] = Recipe(image=DEBIAN, flavor=SMALL)
    return made


def current(made: World, number: int = 1, **fields: Any) -> UploadId:
    """Let a build of this very recipe be current."""
    upload_id = store_build(made, number)
    put_build(made, number, **fields)
    point(made, number)
    return upload_id


def put_build(made: World, number: int, **fields: Any) -> None:
    """Put a build on record, of this recipe unless told otherwise."""
    build = Build(
        **{
            "id": BuildId("noble", number),
            "state": BuildState.BUILT,
            "why": Why.FIRST_USE,
            "requested_s": 1.0,
            "since_s": 1.0,
            "fingerprint": print_of(made),
            "group": (made.policy.provider,),
            **fields,
        }
    )
    put(made, paths.build(build.id), encode_build(build))


def print_of(made: World) -> str:
    """Return the fingerprint of the recipe of now."""
    return made.policy.on_demand["noble"].fingerprint


def intents(made: World, **how: Any) -> list[Intent]:
    """Return what a plan has made."""
    return [one for action in of_kind(think(made, **how), Claim, Grow) for one in action.intents]


def plainly(made: World, number: int, **fields: Any) -> Any:
    """Add a machine that runs the recipe itself."""
    launch = {"first_use": print_of(made), **fields.pop("launch", {})}
    return add_node(made, number, launch=launch, **fields)


def stock(made: World, image: str, number: int) -> None:
    """Let a build of an image be current."""
    build_id = BuildId(image, number)
    build = Build(
        id=build_id, state=BuildState.BUILT, why=Why.COMMAND, requested_s=1.0, since_s=1.0
    )
    upload = Upload(
        id=UploadId(build_id, PLACE), state=UploadState.USABLE, since_s=1.0, cloud_image="image-j"
    )
    pointer = Pointer(image=image, provider="here", place=PLACE, current=number)
    put(made, paths.build(build_id), encode_build(build))
    put(made, paths.upload(upload.id), encode_upload(upload))
    put(made, paths.pointer(image, "here"), encode_pointer(pointer))


def with_steps(steps: Any) -> dict[str, Any]:
    """Return a configuration with these steps."""
    doc = document()
    doc["providers"]["here"]["pools"]["main"]["labels"]["small"]["image"] = {"built": "noble"}
    recipe = {"base": {"name": "debian-12"}, "flavor": SMALL.name, "steps": steps}
    doc["images"] = {"noble": {**recipe, "build": "on-demand", "ttl": TTL_S}}
    return doc
