"""What people are told of take-home images: how far one is, and how it is booted."""

import shlex
from collections.abc import Iterator

from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.model.takehome import TakeHome, TakeHomeState, decode_take_home
from remuda.moments import when
from remuda.store import paths
from remuda.store.api import Store
from remuda.visible import visible


def read_take_home(store: Store, node: NodeId) -> TakeHome | None:
    """Return the take-home image of a node, or None if there is none.

    Raises:
        CorruptRecordError: Its record cannot be read.
        StoreError: ZooKeeper does not say.
    """
    (stored,) = store.read_fresh([paths.take_home(node)])
    return None if stored is None else decode_take_home(node, stored.value)


def read_take_homes(store: Store) -> Iterator[TakeHome]:
    """Yield all of them that can be read, by node; raises StoreError."""
    names = sorted(store.children(paths.TAKE_HOME))
    found = store.read_many([paths.take_home(NodeId(name)) for name in names])
    for name, stored in zip(names, found, strict=True):
        if stored is None:
            continue
        try:
            yield decode_take_home(NodeId(name), stored.value)
        except CorruptRecordError:
            continue


def until(one: TakeHome) -> str:
    """Return until when an image is kept, or nothing."""
    return "" if one.ends_s is None else when(one.ends_s)


def said(one: TakeHome) -> str:
    """Return how far one is, as a sentence."""
    match one.state:
        case TakeHomeState.ASKED:
            return "granted; it waits for a builder"
        case TakeHomeState.MAKING:
            return _making(one)
        case TakeHomeState.FAILED:
            return f"there is no image: {broken(one)}"
        case TakeHomeState.ENDING:
            return "its image is being deleted"
        case _:
            return _whole(one)


def _making(one: TakeHome) -> str:
    if one.failure is not None:
        return f"there is no image: {visible(one.failure)}; its machine is started again"
    if one.quiet:
        return "the machine is stopped, and snapshotted"
    return "a builder takes the machine's identity off"


def image_note(launch: Launch, one: TakeHome | None) -> str | None:
    """Return what became of a held machine's way to an image; None: nobody has wished one.

    Args:
        launch: Has what its launcher answered.
        one: The record of the image, if there is one.
    """
    answer = launch.take_home
    if answer is None:
        return None
    if answer.refused is not None:
        return f"no image: {visible(answer.refused)}"
    if one is None or one.wish.token != answer.wish.token:
        return "becomes an image once its job lets it go" if not answer.begun else None
    return said(one)


def broken(one: TakeHome) -> str:
    """Return why there is no image, and what has become of the machine, as one sentence."""
    why = visible(one.failure or "nobody says why there is no image")
    return f"{why}; {visible(one.trouble)}" if one.trouble else f"{why}; the hold is as it was"


def remarks(one: TakeHome) -> str:
    """Return what :func:`said` says, for a table that has the image and its end in columns."""
    if one.state is not TakeHomeState.WHOLE:
        return said(one)
    told = [f"in {_where(one)}", _boots(one), _readers(one)]
    return "; ".join(part for part in (*told, visible(one.trouble or "")) if part)


def _readers(one: TakeHome) -> str:
    """Return who else may boot a whole image."""
    if not one.shared:
        return ""
    return "public" if one.wish.public else f"shared with {visible(one.wish.share_with or '-')}"


def _where(one: TakeHome) -> str:
    return f"cloud {visible(one.cloud)}" + (f", region {visible(one.region)}" * bool(one.region))


def _boots(one: TakeHome) -> str:
    return f"flavor {visible(one.flavor)}, login {visible(one.username)}"


def _whole(one: TakeHome) -> str:
    text = f"image {one.cloud_image} in {_where(one)} until {until(one)}; {_boots(one)}"
    return f"{text}; {visible(one.trouble)}" if one.trouble else text


def commands(one: TakeHome) -> tuple[str, ...]:
    """Return the commands by which a developer boots a whole image in another project."""
    if one.state is not TakeHomeState.WHOLE:
        return ()
    region = ["--os-region-name", one.region] if one.region else []
    image = one.cloud_image or ""
    create = ["server", "create", "--image", image, "--flavor", one.flavor]
    create += ["--network", "NETWORK", "--key-name", "KEY", f"failed-{one.node}"]
    wanted = [create]
    if one.wish.share_with is not None and one.shared:
        # It boots by its id without that; with it, listings show it.
        wanted.insert(0, ["image", "set", "--accept", image])
    return tuple(visible(shlex.join(["openstack", *region, *words])) for words in wanted)
