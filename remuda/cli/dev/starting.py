"""Starting the parts of `remuda dev`, and waiting until they are there."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Final

import yaml

from remuda.cli.dev.children import ChildProcesses
from remuda.cli.dev.control import Control
from remuda.cli.dev.plan import DevCloud, DevPlan, sandbox_document
from remuda.insight import tree
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Store, StoreAwayError
from remuda.store.options import StoreOptions
from remuda.store.zookeeper import ZookeeperStore

#: The builder's name among the children.
BUILDER: Final = "builder"
_SANDBOX_S: Final = 60.0
_SERVING_S: Final = 60.0


def launcher_of(cloud: DevCloud) -> str:
    """Return the name of a launcher among the children."""
    return f"launcher {cloud.provider}"


def revivable(plan: DevPlan) -> list[str]:
    """Return the names of those without which all the others can go on for a while."""
    return [*(launcher_of(cloud) for cloud in plan.clouds), *([] if plan.no_images else [BUILDER])]


def start_clouds(plan: DevPlan, children: ChildProcesses) -> None:
    """Start the sandboxes.

    Raises:
        ChildEndedError: If one does not come up.
    """
    for cloud in plan.sandboxes:
        cloud.folder.mkdir(exist_ok=True)
        cloud.clouds_file.unlink(missing_ok=True)
        cloud.sandbox_file.write_text(yaml.safe_dump(sandbox_document(plan, cloud)))
        arguments = ["sandbox", "--config", str(cloud.sandbox_file)]
        arguments += ["--clouds-yaml", str(cloud.clouds_file)]
        children.start(f"sandbox {cloud.cloud}", arguments, cloud.folder / "sandbox.log")
    children.wait_until(
        lambda: all(cloud.clouds_file.exists() for cloud in plan.sandboxes),
        "the clouds are up",
        _SANDBOX_S,
    )


def controls(plan: DevPlan) -> list[Control]:
    """Return the control endpoints of the sandboxes."""
    return [Control.of(cloud.clouds_file, cloud.cloud) for cloud in plan.sandboxes]


def start_serving(
    plan: DevPlan, children: ChildProcesses, hosts: tuple[str, ...], clock: Clock
) -> Mapping[str, str]:
    """Start a launcher for each provider and, if images can be made, a builder.

    Returns:
        Where a browser finds each launcher, by provider.

    Raises:
        ChildEndedError: If one does not come up.
    """
    for cloud in plan.clouds:
        log = plan.folder / f"launcher-{cloud.provider}.log"
        arguments = ["launcher", "--provider", cloud.provider, "--config", str(plan.config_file)]
        children.start(launcher_of(cloud), arguments, log)
    if not plan.no_images:
        plan.builder_folder.mkdir(exist_ok=True)
        children.start(
            BUILDER,
            ["builder", "--config", str(plan.config_file)],
            plan.folder / "builder.log",
            environ={"TMPDIR": str(plan.builder_folder)},
        )
    with closing(ZookeeperStore.connect(StoreOptions(hosts=hosts), wait_s=_SERVING_S)) as store:
        end_s = clock.monotonic_s() + _SERVING_S
        pages: dict[str, str] = {}
        for there, what in _awaited(plan, store, pages):
            children.wait_until(_sure(there), what, end_s - clock.monotonic_s())
        return pages


def _awaited(
    plan: DevPlan, store: Store, pages: dict[str, str]
) -> Sequence[tuple[Callable[[], bool], str]]:
    """Return what has to be seen in ZooKeeper, and how to say so; *pages* takes in what is."""
    wanted = {cloud.provider for cloud in plan.clouds}

    def launchers() -> bool:
        there = tree.pools(tree.reader(store)).records.values()
        pages.update(_pages(store))
        return wanted <= {one.provider for one in there} & pages.keys()

    def builder() -> bool:
        return bool(plan.no_images) or bool(store.children(paths.BUILDERS))

    return (launchers, "the launchers are up"), (builder, "the builder is up")


def _pages(store: Store) -> Mapping[str, str]:
    """Return where launchers say that they listen; the port of each is any that was free."""
    levels = tree.replicas(tree.reader(store))
    return {
        provider: one.url
        for provider, level in levels.items()
        for one in level.records.values()
        if one.url is not None
    }


def _sure(there: Callable[[], bool]) -> Callable[[], bool]:
    """Take a store that is away for one in which nothing is seen yet."""

    def seen() -> bool:
        try:
            return there()
        except StoreAwayError:
            return False

    return seen
