"""Files of a machine that is ours, as a tree that is read once."""

from collections.abc import Iterable, Iterator
from typing import Final

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.fetch import PATHS_MAX, FetchPath, fetch
from remuda.archive.trees import TreeEntry
from remuda.runtime.clock import Clock
from remuda.ssh.api import Login
from requestor.errors import InvalidOptionsError


def fetch_paths(paths: Iterable[str | FetchPath]) -> tuple[FetchPath, ...]:
    """Return the paths with the names that they get, no name twice.

    Raises:
        InvalidOptionsError: One sentence.
    """
    found: dict[str, FetchPath] = {}
    for path in paths:
        try:
            one = path if isinstance(path, FetchPath) else FetchPath.of(path)
        except ValueError as error:
            raise InvalidOptionsError(str(error)) from error
        if one.name in found:
            raise InvalidOptionsError(
                f"{found[one.name].path} and {one.path} both get the name {one.name}: write"
                " PATH=NAME for one of them"
            )
        found[one.name] = one
    if len(found) > PATHS_MAX:
        raise InvalidOptionsError(f"there are more than {PATHS_MAX} paths")
    return tuple(found.values())


def fetch_from(
    login: Login,
    paths: tuple[FetchPath, ...],
    *,
    bounds: ArchiveBounds,
    insecure: bool,
    clock: Clock,
) -> Iterator[TreeEntry]:
    """Log in, and yield the files of *paths*; see :meth:`requestor.LeasedNode.fetch`."""
    from remuda.ssh.session import open_session  # noqa: PLC0415 - slow, and for few

    with open_session(login, insecure=insecure) as session:
        yield from fetch(session, paths, bounds=bounds, clock=clock)


#: Nobody who only fetches has to know them.
BOUNDS: Final = ArchiveBounds()
