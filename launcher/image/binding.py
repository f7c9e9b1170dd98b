"""Which image of ours a machine is to boot: bound when its intent is written.

All machines of a request that boot the same image boot the same build of it
(docs/adr/0021-one-request-one-build.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launcher.image.first_use import begun_plain, image_of, made_for, unmade
from launcher.node.budget import served_build
from launcher.node.shortage import Shortage
from launcher.node.view import NodeView
from launcher.policy import Key, OnDemand, plain
from launcher.request.view import RequestView
from launcher.takehome.reopening import opened
from launcher.world import World
from remuda.images.references import upload_of
from remuda.model.ids import NodeId
from remuda.model.image import UploadId
from remuda.model.imageask import ImageAsk, ImageUse, labelled_image
from remuda.runtime.now import Now

#: The build of a machine that boots no build, though its label says so by now.
_NO_BUILD: Final = 0


@dataclass(frozen=True, slots=True)
class Bound:
    """What a new machine boots.

    Attributes:
        upload: Of ours; None: an image of the cloud.
        first_use: Fingerprint of the recipe that it runs, for there is no build of its image; or
            None.
        opened: The node whose take-home image it boots, or None.
    """

    upload: UploadId | None = None
    first_use: str | None = None
    opened: NodeId | None = None


def bind(world: World, now: Now, key: Key, view: RequestView | None) -> Bound | Shortage:
    """Return what a new machine of *key* boots, or why it waits.

    Args:
        world: What is known.
        now: When.
        key: Pool and label.
        view: The request that alone is to have it, or None.
    """
    if view is not None and view.request.opens is not None:
        node = opened(world, key, view)
        return node if isinstance(node, Shortage) else Bound(opened=node)
    return _bind_label(world, now, key, view)


def _bind_label(world: World, now: Now, key: Key, view: RequestView | None) -> Bound | Shortage:
    image = world.policy.built.get(key)
    if labelled_image(key[1]) is not None:
        return _bound(_asked(world, now, key, view, image))
    if image is None:
        return Bound()
    found = image_of(world, key)
    if view is not None:
        kept = _begun(world, view, image)
        if kept is None and found is not None and begun_plain(world, view, found):
            return _plain(world, now, key, view, found)
        kept = kept or world.images.tried(image, now.wall_s, view.id)
        if kept is not None:
            return Bound(kept)
    found = unmade(world, now, key)
    if found is not None:
        return _plain(world, now, key, view, found)
    return _bound(served_build(world, now, image))


def _bound(upload: UploadId | Shortage | None) -> Bound | Shortage:
    return upload if isinstance(upload, Shortage) else Bound(upload)


def _plain(
    world: World, now: Now, key: Key, view: RequestView | None, found: OnDemand
) -> Bound | Shortage:
    """Return what a machine boots that runs the recipe of its image itself."""
    if found.trouble is not None:
        name = found.recipe.name
        return Shortage(reason=f"{name} is made on first use, and here {found.trouble}")
    start = world.policy.plain[plain(key)].image.built
    if start is None:
        return Bound(first_use=found.fingerprint)
    upload = (None if view is None else _begun(world, view, start)) or served_build(
        world, now, start
    )
    if isinstance(upload, Shortage):
        return upload
    return Bound(upload, first_use=found.fingerprint)


def for_anybody(world: World, now: Now, key: Key, bound: Bound, number: int) -> Bound:
    """Return what one of the machines boots that no request alone is to have.

    A part of them boots the canary, as a part of the requests is to get it.

    Args:
        world: What is known.
        now: When.
        key: Pool and label.
        bound: What machines of *key* boot, by :func:`bind`.
        number: Tells it from the others that are begun in the same plan.
    """
    image = world.policy.built.get(key)
    if bound.upload is None or bound.first_use is not None or image is None:
        return bound
    # The ledger's version tells one plan from the next: nothing else is random here.
    who = f"{key[0]}/{key[1]}/{world.ledger_version}/{number}"
    tried = world.images.tried(image, now.wall_s, who)
    return bound if tried is None else Bound(tried)


def _asked(
    world: World, now: Now, key: Key, view: RequestView | None, image: str | None
) -> UploadId | Shortage | None:
    ask = None if view is None else asked(view, key[1])
    if ask is None:
        return Shortage(reason=f"{key[1]} is for builders, and says not what it is for", final=True)
    if ask.upload is None:
        return None if image is None else served_build(world, now, image)
    images, candidate = world.images, ask.use is ImageUse.PROVE
    why = images.why_not(ask.upload, candidate=candidate)
    if why is not None:
        return Shortage(reason=why, final=images.never_again(ask.upload))
    why = images.elsewhere(ask.upload, candidate=candidate)
    return ask.upload if why is None else Shortage(reason=why)


def asked(view: RequestView, label: str) -> ImageAsk | None:
    """Return what a builder asks of a machine of *label*; None: what it asks does not fit it."""
    ask, meant = view.request.image, labelled_image(label)
    if ask is None or meant is None or ask.use is not meant[1]:
        return None
    if view.request.labels != (label,):
        return None  # a builder asks for one machine
    # A candidate proves its own image; a build machine may start from another one of ours.
    fits = ask.upload is None or ask.use is ImageUse.MAKE or ask.upload.build.image == meant[0]
    return ask if fits else None


def _begun(world: World, view: RequestView, image: str) -> UploadId | None:
    """Return the build with which the machines of a request go on, if they can."""
    uploads = (upload_of(launch) for node, launch in made_for(world, view) if not node.dying)
    ours = {one for one in uploads if one is not None and one.build.image == image}
    return max((one for one in ours if world.images.why_not(one) is None), default=None)


def left_out(world: World, node: NodeView) -> str | None:
    """Return why a machine that was made for one request is of no use to it any more, or None.

    Its build may not be booted any more, so that what is missing was begun with another one.
    """
    launch = node.launch
    upload_id = None if launch is None else upload_of(launch)
    if launch is None or upload_id is None or launch.for_request is None:
        return None
    view = world.queue.views.get(launch.for_request)
    if view is None or not view.waiting:
        return None
    begun = _begun(world, view, upload_id.build.image)
    if begun is None or begun == upload_id:
        return None
    return f"{launch.for_request} is served from build {begun.build}"


def choose(
    world: World, labels: Sequence[str], ready: Mapping[str, Sequence[NodeId]]
) -> tuple[NodeId, ...] | None:
    """Return nodes for *labels*, in that order, with one build of each image; None: there are none.

    Args:
        world: What is known.
        labels: With repeats.
        ready: What may be chosen, by label, preferred first.
    """
    left = {label: list(ready.get(label, ())) for label in set(labels)}
    builds = {node: _build(world, node) for nodes in left.values() for node in nodes}
    for image in sorted({image for image, _ in builds.values() if image is not None}):
        numbers = {number for other, number in builds.values() if other == image}
        for number in sorted(numbers, reverse=True):
            fit = {
                label: [one for one in nodes if builds[one][0] != image or builds[one][1] == number]
                for label, nodes in left.items()
            }
            if _enough(fit, labels):
                left = fit
                break
        else:
            return None
    return tuple(left[one].pop(0) for one in labels) if _enough(left, labels) else None


def fitting(
    world: World,
    labels: Sequence[str],
    ready: Mapping[str, Sequence[NodeId]],
    spoken_for: Mapping[str, int],
) -> tuple[NodeId, ...] | None:
    """Return nodes for *labels* as :func:`choose` does, if others leave so many.

    Args:
        world: What is known.
        labels: With repeats.
        ready: What may be chosen, by label, preferred first.
        spoken_for: How many of them somebody else is to have, by label.
    """
    for label, nodes in ready.items():
        if len(nodes) - spoken_for.get(label, 0) < labels.count(label):
            return None
    return choose(world, labels, ready)


def _enough(left: Mapping[str, Sequence[NodeId]], labels: Sequence[str]) -> bool:
    return all(len(nodes) >= labels.count(label) for label, nodes in left.items())


def _build(world: World, node_id: NodeId) -> tuple[str | None, int]:
    """Return the image of ours that a machine boots, or that its label has by now, and which."""
    view = world.nodes.views[node_id]
    launch = view.launch
    upload_id = None if launch is None or launch.first_use is not None else upload_of(launch)
    if upload_id is None:
        return world.policy.built.get(view.key), _NO_BUILD
    return upload_id.build
