"""Every path in ZooKeeper, in one place; docs/znodes.md describes what lies there.

``/nodepool`` belongs to a format shared with other programs. ``/remuda`` is ours alone.
"""

from typing import Final

from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.model.image import BuildId, UploadId, znode_name

NODEPOOL: Final = "/nodepool"
REQUESTS: Final = "/nodepool/requests"
REQUEST_LOCKS: Final = "/nodepool/requests-lock"
NODES: Final = "/nodepool/nodes"
POOL_COMPONENTS: Final = "/nodepool/components/pool"

REMUDA: Final = "/remuda"
INSTALLATION: Final = "/remuda/installation"
NODE_COUNTER: Final = "/remuda/node-ids"
PROVIDERS: Final = "/remuda/providers"
STATUSES: Final = "/remuda/statuses"
FAILURES: Final = "/remuda/failures"
CAPSULES: Final = "/remuda/capsules"
FAILED_REQUESTS: Final = "/remuda/failed-requests"
AUTOHOLDS: Final = "/remuda/autoholds"
REPLICAS: Final = "/remuda/replicas"
IMAGES: Final = "/remuda/images"
IMAGE_LOGS: Final = "/remuda/image-logs"
BUILDERS: Final = "/remuda/builders"
TAKE_HOME: Final = "/remuda/takehome"
TAKE_HOME_ENDS: Final = "/remuda/takehome-ends"
LOCK_SUFFIX: Final = "lock"


def shared(path: str) -> bool:
    """Return whether others than launchers make znodes there."""
    return path.startswith(f"{NODEPOOL}/")


def must_be_open(path: str) -> bool:
    """Return whether a process that may not read this znode knows nothing for sure.

    Folders whose lists say what there is, and the ledgers. Of a single record below them it is
    known that it is there, which is enough to leave alone what it is about.
    """
    match path.split("/")[1:]:
        case ["remuda"] | ["remuda", _] | ["remuda", "providers", _]:
            return True
        case ["remuda", "providers", _, "launches" | "claims" | "ledger" | "holds"]:
            return True
        case _:
            return False


def request(request_id: RequestId) -> str:
    """Return the path of a request."""
    return f"{REQUESTS}/{request_id}"


def request_lock(request_id: RequestId) -> str:
    """Return the lock directory of a request."""
    return f"{REQUEST_LOCKS}/{request_id}"


def node(node_id: NodeId) -> str:
    """Return the path of a node."""
    return f"{NODES}/{node_id}"


def node_lock(node_id: NodeId) -> str:
    """Return the lock directory of a node."""
    return f"{NODES}/{node_id}/{LOCK_SUFFIX}"


def provider(name: str) -> str:
    """Return the root of what only the launchers of one provider watch."""
    return f"{PROVIDERS}/{name}"


def ledger(name: str) -> str:
    """Return the znode whose version guards the provider's limits."""
    return f"{PROVIDERS}/{name}/ledger"


def hold_ledger(name: str) -> str:
    """Return the znode whose version guards how many machines a provider keeps for people."""
    return f"{PROVIDERS}/{name}/holds"


def launches(name: str) -> str:
    """Return the parent of a provider's launch records."""
    return f"{PROVIDERS}/{name}/launches"


def leads_to_launches(path: str) -> bool:
    """Whether a path below :data:`PROVIDERS` is a launch, or leads to launches."""
    _, _, below = path.partition(f"{PROVIDERS}/")
    provider, *rest = below.split("/")
    return not rest or (path + "/").startswith(f"{launches(provider)}/")


def launch(name: str, node_id: NodeId) -> str:
    """Return the path of one launch record."""
    return f"{launches(name)}/{node_id}"


def plain_tally(name: str) -> str:
    """Return the path of what a provider's machines fetch that boot no image of ours."""
    return f"{PROVIDERS}/{name}/fetched"


def sweep_permit(name: str) -> str:
    """Return the path of an operator's permission to sweep the provider's cloud."""
    return f"{PROVIDERS}/{name}/sweep"


def claims(name: str) -> str:
    """Return the parent of a provider's claims on requests."""
    return f"{PROVIDERS}/{name}/claims"


def claim(name: str, request_id: RequestId) -> str:
    """Return the path of one claim."""
    return f"{claims(name)}/{request_id}"


def replicas(name: str) -> str:
    """Return the parent of the ephemeral znodes of a provider's launchers."""
    return f"{REPLICAS}/{name}"


def status(name: str) -> str:
    """Return what a provider tells the others about itself."""
    return f"{STATUSES}/{name}"


def verdicts(name: str) -> str:
    """Return the parent of a provider's verdicts on waiting requests; launchers do not watch it."""
    return f"{REMUDA}/verdicts/{name}"


def verdict(name: str, request_id: RequestId) -> str:
    """Return the path of one verdict."""
    return f"{verdicts(name)}/{request_id}"


def failures(name: str) -> str:
    """Return the parent of the evidence of failed launches; launchers do not watch it."""
    return f"{FAILURES}/{name}"


def failure(name: str, node_id: NodeId) -> str:
    """Return the path of the evidence of one failed launch."""
    return f"{failures(name)}/{node_id}"


def capsules(name: str) -> str:
    """Return the parent of what is known of failed jobs, and of machines asked about."""
    return f"{CAPSULES}/{name}"


def capsule(name: str, node_id: NodeId) -> str:
    """Return the path of one capsule that is no failed launch's."""
    return f"{capsules(name)}/{node_id}"


def autohold(autohold_id: str) -> str:
    """Return the path of one autohold."""
    return f"{AUTOHOLDS}/{autohold_id}"


def image(name: str) -> str:
    """Return the path of an image's own record; its version guards the numbers of builds."""
    return f"{IMAGES}/{name}"


def last_use(name: str) -> str:
    """Return the path of when an image that is made on first use was last used."""
    return f"{image(name)}/use"


def builds(name: str) -> str:
    """Return the parent of an image's builds."""
    return f"{image(name)}/builds"


def build(build_id: BuildId) -> str:
    """Return the path of one build."""
    return f"{builds(build_id.image)}/{znode_name(build_id.number)}"


def uploads(build_id: BuildId) -> str:
    """Return the parent of a build's uploads; who removes it has proven that there is none."""
    return f"{build(build_id)}/uploads"


def upload(upload_id: UploadId) -> str:
    """Return the path of one upload."""
    return f"{uploads(upload_id.build)}/{upload_id.place}"


def pointers(name: str) -> str:
    """Return the parent of an image's pointers."""
    return f"{image(name)}/pointers"


def pointer(name: str, provider: str) -> str:
    """Return the path of what one provider's launches of an image boot."""
    return f"{pointers(name)}/{provider}"


def tally(name: str, provider: str) -> str:
    """Return the path of what is counted of an image's builds in one provider."""
    return f"{pointer(name, provider)}/tally"


def image_logs(name: str) -> str:
    """Return the parent of the logs of an image's builds; builders do not watch it."""
    return f"{IMAGE_LOGS}/{name}"


def image_log(build_id: BuildId, provider: str | None = None) -> str:
    """Return the path of a build's progress, or of its trial's in a provider.

    The parts of the log lie below.
    """
    of_build = f"{image_logs(build_id.image)}/{znode_name(build_id.number)}"
    return of_build if provider is None else f"{of_build}/trial-{provider}"


def image_log_part(build_id: BuildId, index: int, provider: str | None = None) -> str:
    """Return the path of one part of a log."""
    return f"{image_log(build_id, provider)}/{index:08d}"


def image_inventory(build_id: BuildId) -> str:
    """Return the path of the list of what is in a build, beside its log."""
    return f"{image_log(build_id)}/inventory"


def image_statement(build_id: BuildId) -> str:
    """Return the path of what is stated of a build, beside its log."""
    return f"{image_log(build_id)}/statement"


def take_home(node_id: NodeId) -> str:
    """Return the path of the image that the machine of a hold becomes."""
    return f"{TAKE_HOME}/{node_id}"


def take_home_end(node_id: NodeId) -> str:
    """Return where requestors say that a take-home image is to go now."""
    return f"{TAKE_HOME_ENDS}/{node_id}"


def builder(replica: ReplicaId) -> str:
    """Return the ephemeral znode of one builder process."""
    return f"{BUILDERS}/{replica}"
