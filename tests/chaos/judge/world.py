"""What the rules look at: the znodes and the servers at one moment."""

from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos.judge.cloud import Servers
from tests.chaos.judge.tree import Doc, Tree

NODES: Final = "/nodepool/nodes"
REQUESTS: Final = "/nodepool/requests"
INSTALLATION: Final = "/remuda/installation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """By what a run is judged; written down by whoever made it.

    Attributes:
        root: The chroot of the installation.
        limits: The most servers of each provider.
        forged: Nodes whose launch records a scenario forged.
        may_fail: Whether requests may be declined by everybody.
        good_boots: Whether every machine that became active was a good one: then none may be
            given up before it is proven.
        explained_after_s: A request that waited longer must have had a verdict.
        served_within_s: A request that was not served after so long is a breach; 0: no limit.
        until_s: What came later is not looked at, seconds since the epoch; 0: look at all. A
            cause comes before its effect, so the history up to any moment is whole.
    """

    root: str = ""
    limits: dict[str, int]
    forged: tuple[str, ...] = ()
    may_fail: bool = False
    good_boots: bool = False
    explained_after_s: float = 30.0
    served_within_s: float = 0.0
    until_s: float = 0.0

    @classmethod
    def of(cls, doc: dict[str, Any]) -> "Terms":
        """Read them; unknown ones are a mistake."""
        return cls(**{**doc, "forged": tuple(doc.get("forged", ()))})


@dataclass(slots=True)
class World:
    """Everything at one moment."""

    terms: Terms
    now_s: float = 0.0
    servers: Servers = field(default_factory=Servers)
    tree: Tree = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.tree = Tree(self.terms.root)

    def node(self, node: str) -> Doc:
        """Return a node's record."""
        return self.tree.doc(f"{NODES}/{node}")

    def launch(self, provider: str, node: str) -> Doc:
        """Return a launch record."""
        return self.tree.doc(f"/remuda/providers/{provider}/launches/{node}")

    def locked(self, node: str) -> bool:
        """Whether a living session has a place in the node's lock."""
        return any(self.tree.children(f"{NODES}/{node}/lock"))

    def kept(self, node: str) -> str:
        """Say who keeps a node, empty if nobody does."""
        doc = self.node(node)
        if doc.get("state") == "in-use" and self.locked(node):
            return "in use, and locked by a living session"
        if doc.get("state") == "hold":
            return f"held: {doc.get('comment')!r}"
        request = self.tree.doc(f"{REQUESTS}/{doc.get('allocated_to')}")
        if doc.get("state") == "ready" and request.get("state") == "fulfilled":
            return f"promised to {doc.get('allocated_to')}"
        return ""


def node_of(path: str) -> str:
    """Return which node's record a path is, empty if none's."""
    parent, _, name = path.rpartition("/")
    return name if parent == NODES else ""


def launch_of(path: str) -> tuple[str, str] | None:
    """Return of which provider and node a path is the launch record."""
    match path.split("/"):
        case ["", "remuda", "providers", provider, "launches", node]:
            return provider, node
    return None


def request_of(path: str) -> str:
    """Return which request a path is, empty if none."""
    parent, _, name = path.rpartition("/")
    return name if parent == REQUESTS else ""
