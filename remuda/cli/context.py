"""Where a command finds ZooKeeper and the time: options, environment, configuration file."""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

import click
from click.core import ParameterSource

from remuda.cli.errors import MistakeError
from remuda.cli.terminal import say
from remuda.config.addresses import connection_string
from remuda.config.units import WrongValueError
from remuda.runtime.clock import Clock, SystemClock
from remuda.ssh.api import Login
from remuda.store.api import Store
from remuda.store.options import StoreOptions

if TYPE_CHECKING:
    from remuda.cloud.image_store import ImageStore
    from remuda.cloud.objects import ObjectStore
    from remuda.config.model import Config
    from remuda.ssh.session import SshSession

F = TypeVar("F", bound=Callable[..., Any])
V = TypeVar("V")

_CONFIG: Final = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="REMUDA_CONFIG",
    help="Configuration file that says where ZooKeeper is. [env: REMUDA_CONFIG]",
)
_ZOOKEEPER: Final = click.option(
    "--zookeeper",
    metavar="HOSTS",
    envvar="REMUDA_ZOOKEEPER",
    help="HOST:PORT,…[/CHROOT]; wins over --config. [env: REMUDA_ZOOKEEPER]",
)

#: A person waits; a script can try again.
CONNECT_S: Final = 10.0


def _connect(options: StoreOptions) -> Store:
    from remuda.store.zookeeper import ZookeeperStore  # noqa: PLC0415 - slow, and not for --help

    return ZookeeperStore.connect(options, wait_s=CONNECT_S, waiting=_tell_waiting)


class OpensImages(Protocol):
    """Opens the images of a provider, as a configuration describes it."""

    def __call__(self, config: "Config", provider: str) -> "AbstractContextManager[ImageStore]":
        """Return its images; they are closed at the end.

        Raises:
            CloudConfigError: clouds.yaml cannot be used.
        """


@contextmanager
def _open_images(config: "Config", provider: str) -> "Iterator[ImageStore]":
    from remuda.cloud.configured import cloud_settings  # noqa: PLC0415 - slow, for few commands
    from remuda.cloud.openstack import OpenStackCloud  # noqa: PLC0415
    from remuda.model.ids import ProviderName  # noqa: PLC0415
    from remuda.model.tags import Owner  # noqa: PLC0415

    owner = Owner(installation="", provider=ProviderName(provider))  # nothing is made
    cloud = OpenStackCloud(cloud_settings(config, owner), clock=SystemClock())
    try:
        yield cloud.image_store()
    finally:
        cloud.close()


def _open_objects(cloud: str, region: str | None = None) -> "ObjectStore":
    from remuda.cloud.account import AccountSettings  # noqa: PLC0415 - slow, for few commands
    from remuda.cloud.openstack_objects import open_objects  # noqa: PLC0415

    return open_objects(AccountSettings(cloud=cloud, region=region), clock=SystemClock())


class OpensObjects(Protocol):
    """Opens the object store of a cloud that the user's clouds.yaml names."""

    def __call__(self, cloud: str, region: str | None = None, /) -> "ObjectStore":
        """Open it, over connections of its own.

        Args:
            cloud: As clouds.yaml calls it.
            region: None: the one that clouds.yaml names.

        Raises:
            CloudConfigError: clouds.yaml cannot be used.
        """


class OpensSessions(Protocol):
    """Logs in to a machine; see :func:`remuda.ssh.session.open_session`."""

    def __call__(self, login: Login, *, insecure: bool = False) -> "SshSession":
        """Connect, compare the host key unless *insecure* and unknown, log in."""


def _open_session(login: Login, *, insecure: bool = False) -> "SshSession":
    from remuda.ssh.session import open_session  # noqa: PLC0415 - slow, and few commands need it

    return open_session(login, insecure=insecure)


def _check_key(key_file: str | None) -> None:
    from remuda.ssh.keyfile import load_key  # noqa: PLC0415 - slow, and few commands need it
    from remuda.ssh.link import agent_keys  # noqa: PLC0415

    if key_file is not None:
        load_key(key_file)
        return
    with agent_keys():
        return


def _tell_waiting(why: str) -> None:
    say(f"remuda: {why}", err=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """What one command takes from outside; tests give their own.

    Not click's context, which holds the words of a command line, and not the requestor's, which
    holds what the requests of one open session share.

    Attributes:
        config: Configuration file to find ZooKeeper in.
        zookeeper: ``host:port,…[/chroot]``; wins over the file.
        connect: Opens the store.
        open_images: Opens the images of a provider.
        open_objects: Opens the object store of a cloud that the user's clouds.yaml names.
        open_session: Logs in to a machine.
        check_key: Raises an SshError if a key file (None: an agent's key) is of no use.
    """

    config: Path | None = None
    zookeeper: str | None = None
    connect: Callable[[StoreOptions], Store] = _connect
    open_images: OpensImages = _open_images
    open_objects: OpensObjects = _open_objects
    open_session: OpensSessions = _open_session
    check_key: Callable[[str | None], None] = _check_key
    clock: Clock = field(default_factory=SystemClock)

    def options(self) -> StoreOptions:
        """Return how to reach ZooKeeper; what is not there, commands do not make.

        Raises:
            MistakeError: If nobody said where it is.
            ConfigInvalidError: If the configuration file cannot be used.
        """
        if self.zookeeper is not None:
            # Also an empty one: whose variable is not set means no other tree.
            return replace(hosts_options(self.zookeeper), make_chroot=False)
        if self.config is not None:
            return replace(_configured(self.config), make_chroot=False)
        raise MistakeError(
            "where is ZooKeeper? Give --zookeeper HOST:PORT or --config FILE, "
            "or set REMUDA_ZOOKEEPER or REMUDA_CONFIG"
        )

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the store, and close it at the end.

        Raises:
            MistakeError: See :meth:`options`.
            StoreError: If ZooKeeper cannot be reached.
        """
        store = self.connect(self.options())
        try:
            yield store
        finally:
            store.close()


def _configured(file: Path) -> StoreOptions:
    # Its models are slow to import, and who gives --zookeeper does not need them.
    from remuda.config.whereabouts import read_zookeeper  # noqa: PLC0415
    from remuda.store.configured import store_options  # noqa: PLC0415

    section = read_zookeeper(file)
    if section is not None:
        return store_options(section)
    from remuda.config import loader  # noqa: PLC0415 - all of it

    return store_options(loader.load_for_user(file).zookeeper)


def hosts_options(text: str) -> StoreOptions:
    """Return the options for ``host:port,host:port/chroot``.

    Raises:
        MistakeError: If it is not of that form.
    """
    try:
        hosts, chroot = connection_string(text)
    except WrongValueError as error:
        raise MistakeError(f"where ZooKeeper is: {error}; {error.hint}") from error
    return StoreOptions(hosts=hosts, chroot=chroot)


def _written(ctx: click.Context, name: str, value: V) -> V | None:
    """Return the value of an option if it was written on the command line."""
    return value if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE else None


def _first(*values: V | None) -> V | None:
    return next((one for one in values if one is not None), None)


def with_context(command: F) -> F:
    """Add the options that say where ZooKeeper is; the command gets ``context``."""

    def wrapper(
        ctx: click.Context, /, *args: Any, config: Path | None, zookeeper: str | None, **kwargs: Any
    ) -> Any:
        context = ctx.obj if isinstance(ctx.obj, CommandContext) else CommandContext()
        # What is written after the command's name wins over what stands before it, and both over
        # the environment.
        context = replace(
            context,
            config=_first(_written(ctx, "config", config), context.config, config),
            zookeeper=_first(_written(ctx, "zookeeper", zookeeper), context.zookeeper, zookeeper),
        )
        return command(*args, context=context, **kwargs)

    wrapped = click.pass_context(wrapper)
    functools.update_wrapper(wrapped, command)
    return cast("F", _CONFIG(_ZOOKEEPER(wrapped)))
