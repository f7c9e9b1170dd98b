"""What its user needs to know of a machine, out of a node record that anybody may have written."""

from dataclasses import dataclass
from typing import Any, Final

from remuda.model.fields import KEY_CHARS_MAX, is_text, safe
from remuda.model.ids import NodeId, RequestId
from remuda.model.image import parse_build
from remuda.model.job import Job, job_of_node
from remuda.model.jobreport import JobReport, report_of
from remuda.model.node import Node

#: Nodepool's records without a port mean the usual one.
SSH_PORT: Final = 22
_PORT_MAX: Final = 65535
#: A machine has one key of each type.
_KEYS_MAX: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """One machine, as its user sees it.

    Attributes:
        address: Where to connect to, or None while nobody knows.
        host_keys: ``<type> <base64>`` lines; empty: unknown, host key checking is impossible.
        image: Name or id of the image it was made from; *build*: ``<image>/<number>``, if it is a
            build of an image of ours.
        server: The cloud's id of it.
        changed_at_s: Last change of its state, seconds since the epoch.
        comment, hold_job: Why and for whom it is held.
        job: Of a CI system, that has it or had it last; None: its requestor does not say.
        report: How the work on it went; None: nobody says so.
    """

    id: NodeId
    state: str
    label: str
    labels: tuple[str, ...]
    provider: str | None
    pool: str | None
    address: str | None
    port: int
    user: str | None
    host_keys: tuple[str, ...]
    image: str | None
    build: str | None
    server: str | None
    cloud: str | None
    region: str | None
    az: str | None
    host_id: str | None
    public_ipv4: str | None
    private_ipv4: str | None
    public_ipv6: str | None
    connection_type: str | None
    python_path: str | None
    allocated_to: RequestId | None
    requestor: str | None
    hold_job: str | None
    job: Job | None
    report: JobReport | None
    comment: str | None
    changed_at_s: float | None
    created_at_s: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the facts with the stable keys of docs/cli.md."""
        doc = {name: getattr(self, name) for name in self.__slots__}
        doc["labels"] = list(self.labels)
        doc["host_keys"] = list(self.host_keys)
        doc["job"] = self.job and self.job.as_json()
        doc["report"] = self.report and self.report.as_json()
        return doc


def facts_of(node: Node) -> NodeFacts:
    """Return what *node*'s record says, tolerant of missing keys and odd types."""
    doc = node.doc
    image = _text(doc.get("image_id"))
    return NodeFacts(
        id=node.id,
        state=str(node.state),
        label=node.labels[0] if node.labels else "?",
        labels=node.labels,
        provider=node.provider,
        pool=node.pool,
        address=_text(doc.get("interface_ip")),
        port=_port(doc.get("connection_port"), doc.get("ssh_port")),
        user=_text(doc.get("username")),
        host_keys=_keys(doc.get("host_keys")),
        image=image,
        build=None if image is None or parse_build(image) is None else image,
        server=node.external_id,
        cloud=_text(doc.get("cloud")),
        region=_text(doc.get("region")),
        az=_text(doc.get("az")),
        host_id=_text(doc.get("host_id")),
        public_ipv4=_text(doc.get("public_ipv4")),
        private_ipv4=_text(doc.get("private_ipv4")),
        public_ipv6=_text(doc.get("public_ipv6")),
        connection_type=_text(doc.get("connection_type")),
        python_path=_text(doc.get("python_path")),
        allocated_to=node.allocated_to,
        requestor=_text(doc.get("requestor")),
        hold_job=_text(doc.get("hold_job")),
        job=job_of_node(doc) if node.allocated_to else None,
        report=report_of(node),
        comment=_text(doc.get("comment")),
        changed_at_s=node.state_time_s or None,
        created_at_s=node.created_s,
    )


def _text(value: object) -> str | None:
    return safe(value) if isinstance(value, str) and value else None


def _port(*values: object) -> int:
    # Jenkins writes 22 back as 22.0, and containers have a mapping in its place.
    for value in values:
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if 1 <= value <= _PORT_MAX:  # neither NaN nor infinity is
            return int(value)
    return SSH_PORT


def _keys(value: object) -> tuple[str, ...]:
    keys = value[:_KEYS_MAX] if isinstance(value, list) else ()
    return tuple(key for key in keys if is_text(key, KEY_CHARS_MAX))


def known_hosts(facts: NodeFacts) -> str:
    """Return the lines of a known_hosts file for one machine, empty if it has no keys."""
    if facts.address is None:
        return ""
    plain = facts.port == SSH_PORT
    name = facts.address if plain else f"[{facts.address}]:{facts.port}"
    return "".join(f"{name} {key}\n" for key in facts.host_keys)
