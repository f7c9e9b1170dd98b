"""Images that are made on first use: where no build of one is there, machines run its recipe.

The decision is bound when the intent is written: the launch's record names the recipe, so that
whoever takes it over goes on the same way (docs/adr/0029-made-on-first-use.md).
"""

from collections.abc import Iterable, Iterator

from launcher.image.index import NoneServed
from launcher.node.view import COMING_STEPS, NodeView
from launcher.policy import Key, OnDemand, plain
from launcher.request.view import RequestView
from launcher.world import World
from remuda.model.build import UNDER_WAY
from remuda.model.image import BuildId
from remuda.model.imageask import labelled_image
from remuda.model.launch import Launch
from remuda.runtime.now import Now
from remuda.steps.room import room_s


def unmade(world: World, now: Now, key: Key) -> OnDemand | None:
    """Return the image of *key* if it is made on first use, and no build of it is to be booted.

    One of another recipe is not booted, unless somebody has pinned it.
    """
    found = image_of(world, key)
    if found is None:
        return None
    name = found.recipe.name
    served, pointer = world.images.served(name, now.wall_s), world.images.pointers.get(name)
    if isinstance(served, NoneServed) or pointer is None:
        return found
    if pointer.value.pin_at(now.wall_s) is not None:
        return None
    stored = world.images.builds.get(served.build)
    same = stored is not None and stored.value.fingerprint == found.fingerprint
    return None if same else found


def image_of(world: World, key: Key) -> OnDemand | None:
    """Return the image that machines of *key* boot, if that is made on first use."""
    if not world.policy.on_demand or labelled_image(key[1]) is not None:
        return None
    return world.policy.on_demand.get(world.policy.built.get(key) or "")


def looked_up(world: World, now: Now, key: Key) -> Key:
    """Return by which key what machines of *key* are made of now was looked up."""
    return key if unmade(world, now, key) is None else plain(key)


def begun_plain(world: World, view: RequestView, found: OnDemand) -> bool:
    """Whether a machine of a request runs the recipe itself: then all of its machines do."""
    return any(
        launch.first_use == found.fingerprint and image_of(world, node.key) is found
        for node, launch in made_for(world, view)
        if not node.dying
    )


def made_for(world: World, view: RequestView) -> Iterator[tuple[NodeView, Launch]]:
    """Yield the nodes that were made for a request alone, with their launches."""
    for node_id in world.nodes.allocated.get(view.id, ()):
        node = world.nodes.views[node_id]
        if node.launch is not None and node.launch.for_request == view.id:
            yield node, node.launch


def outlived(world: World, view: NodeView, launch: Launch) -> str | None:
    """Return why a machine in the making that runs a recipe is not wanted any more, or None."""
    making = launch.step in COMING_STEPS and not view.proof.passed
    if launch.first_use is None or not making:
        return None
    found = image_of(world, view.key)
    if found is None:
        return "its image is not made on first use any more"
    if found.fingerprint != launch.first_use:
        return f"the recipe of {found.recipe.name} has changed, or cannot be read"
    return None


def more_s(world: World, launch: Launch) -> float:
    """Return how much longer a machine may take because it runs a recipe, s."""
    found = None if launch.first_use is None else image_of(world, (launch.pool, launch.label))
    return 0.0 if found is None else room_s(found.recipe)


def beside(world: World, image: str) -> BuildId | None:
    """Return the build of an image that is being made for our provider, or tried, or None.

    Each provider may have a build of its own: what is made for another one says nothing here.
    """
    ours = (
        name
        for name, stored in world.images.builds.items()
        if name.image == image and world.policy.provider in stored.value.group
    )
    newest = max(ours, default=None)
    if newest is None:
        return None
    build = world.images.builds[newest].value
    pointer = world.images.pointers.get(image)
    later = pointer is None or pointer.value.current < newest.number
    whole = build.state == "built" and later and build.revoked is None and build.unwanted is None
    return newest if build.state in UNDER_WAY or whole else None


def said(world: World, now: Now, keys: Iterable[Key]) -> tuple[str, dict[str, str]]:
    """Return what people are told of machines that run a recipe, and its numbers; empty: none do.

    Args:
        world: What is known.
        now: When.
        keys: Pool and label of each machine.
    """
    names = sorted({one.recipe.name for key in keys if (one := unmade(world, now, key))})
    if not names:
        return "", {}
    clauses, numbers = [], {}
    for name in names:
        build = beside(world, name)
        numbers[name] = "" if build is None else str(build)
        made = "no build of it is being made yet"
        if build is not None:
            made = f"build {build} is being made beside it"
        clauses.append(f"{name} is made on first use: its machine runs the recipe itself; {made}")
    beside_it = ", ".join(one for one in numbers.values() if one)
    return f"; {'; '.join(clauses)}", {"first_use": ", ".join(names), "beside": beside_it}
