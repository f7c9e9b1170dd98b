"""What is asked for, as a value, and as the record that goes to ZooKeeper."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from remuda.model import request as request_record
from remuda.model.codec import quote
from remuda.model.fields import LABELS_MAX, SECONDS_MAX
from remuda.model.ids import NodeId, RequestId
from remuda.model.imageask import ImageAsk, labelled_image
from remuda.model.request import Request, RequestState
from requestor.errors import InvalidOptionsError

#: Names for the three priorities that Zuul uses; lower is served first.
PRIORITIES: Final[Mapping[str, int]] = {"high": 100, "normal": 200, "low": 300}
PRIORITY_MAX: Final = 999
#: Other launchers may have labels of other shapes than ours; a blank or a slash is in none.
LABEL_PATTERN: Final = re.compile(r"[^\s/]{1,255}")
#: Key of our own part in the opaque ``requestor_data``.
DATA_KEY: Final = "remuda"
#: A count of more digits is refused before anything is made of it.
COUNT_DIGITS_MAX: Final = 6

Labels = Mapping[str, int] | Sequence[str] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    """One request before it is made.

    Attributes:
        labels: Wanted labels in order, with repeats.
        priority: 0 to 999, lower is served first.
        relative_priority: Order within one priority, lower first.
        provider: Preferred provider, or None.
        reuse: False: only machines made for this request.
        requestor: Who asks, for people and statistics.
        tenant: For whom, for people and schedulers; no limits depend on it. None: nobody.
        deadline_s: Cancel when it is not served after this many seconds; None: never.
        ephemeral: The request dies with our session.
        data: Goes into ``requestor_data``, for whoever looks at the record.
        image: What a builder asks of its machine; only it has labels with a slash.
        opens: The node whose take-home image the machine is to boot.
    """

    labels: tuple[str, ...]
    priority: int = PRIORITIES["normal"]
    relative_priority: int = 0
    provider: str | None = None
    reuse: bool = True
    requestor: str = "remuda"
    tenant: str | None = None
    deadline_s: float | None = None
    ephemeral: bool = True
    data: Mapping[str, Any] = field(default_factory=dict)
    image: ImageAsk | None = None
    opens: NodeId | None = None

    def __post_init__(self) -> None:
        """Refuse what no launcher could serve.

        Raises:
            InvalidOptionsError: With one sentence that says what is wrong.
        """
        if not self.labels:
            raise InvalidOptionsError("a request needs at least one label")
        if len(self.labels) > LABELS_MAX:
            raise InvalidOptionsError(
                f"{len(self.labels)} nodes in one request; at most {LABELS_MAX}"
            )
        for label in self.labels:
            if not self._is_label(label):
                raise InvalidOptionsError(f"{quote(label)} is not a label")
        if not _whole(self.priority) or not 0 <= self.priority <= PRIORITY_MAX:
            raise InvalidOptionsError(
                f"priority {self.priority} is not a number from 0 to {PRIORITY_MAX}"
            )
        if not _whole(self.relative_priority):
            raise InvalidOptionsError(
                f"relative priority {self.relative_priority} is not a whole number"
            )
        self._check_deadline()
        if self.data:
            self._check_data()

    def _is_label(self, label: object) -> bool:
        if not isinstance(label, str):
            return False
        if self.image is not None and labelled_image(label) is not None:
            return True
        return LABEL_PATTERN.fullmatch(label) is not None

    def _check_deadline(self) -> None:
        if self.deadline_s is not None and self.deadline_s <= 0:
            raise InvalidOptionsError(f"a deadline of {self.deadline_s:g} s is over already")
        if self.deadline_s is not None and not self.deadline_s <= SECONDS_MAX:
            raise InvalidOptionsError(f"a deadline of {self.deadline_s:g} s is none; leave it out")

    def record(self, *, now_s: float, token: str) -> bytes:
        """Return the request record as it is first written.

        Args:
            now_s: Wall clock, seconds since the epoch.
            token: Tells this very request from others when a reply was lost.

        Raises:
            InvalidOptionsError: If launchers would refuse it, by their own rules.
        """
        raw = self._written(now_s=now_s, token=token)
        unfit = request_record.decode(RequestId(f"{self.priority:03d}-"), raw).unfit
        if unfit is not None:
            raise InvalidOptionsError(f"no launcher could serve this: {unfit}")
        return raw

    def _check_data(self) -> None:
        try:
            json.dumps(self.data, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as exc:
            raise InvalidOptionsError(f"the data cannot be written as JSON: {exc}") from exc

    def _written(self, *, now_s: float, token: str) -> bytes:
        doc: dict[str, Any] = {
            "requestor_data": {DATA_KEY: {"token": token, **self.data}},
            "event_id": token,
            "created_time": now_s,
        }
        if self.opens is not None:
            doc[request_record.OPEN_KEY] = {"node": self.opens}
        if self.tenant is not None:  # Zuul takes a null here for a tenant's name
            doc["tenant_name"] = self.tenant
        return request_record.encode(
            Request(
                id=RequestId(f"{self.priority:03d}-"),
                state=RequestState.REQUESTED,
                labels=self.labels,
                reuse=self.reuse,
                requestor=self.requestor,
                provider=self.provider,
                relative_priority=self.relative_priority,
                state_time_s=now_s,
                image=self.image,
                doc=doc,
            )
        )


def labels_of(wanted: Labels) -> tuple[str, ...]:
    """Return the labels in order for ``{"a": 2}``, ``["a", "a"]`` or ``"a"``.

    Raises:
        InvalidOptionsError: If a count is not a positive number.
    """
    if isinstance(wanted, str):
        return (wanted,)
    if not isinstance(wanted, Mapping):
        return tuple(wanted)
    for label, count in wanted.items():
        if not _whole(count) or not 1 <= count < 10**COUNT_DIGITS_MAX:
            raise InvalidOptionsError(f"{quote(count)} nodes of {label!r}: at least 1")
    return tuple(label for label, count in wanted.items() for _ in range(count))


def priority_of(priority: int | str) -> int:
    """Return the number for ``high``, ``normal``, ``low`` or digits.

    Raises:
        InvalidOptionsError: If it is neither.
    """
    if isinstance(priority, int):
        return priority
    if priority in PRIORITIES:
        return PRIORITIES[priority]
    if priority.isdecimal() and len(priority) <= COUNT_DIGITS_MAX:
        return int(priority)
    raise InvalidOptionsError(
        f"priority {quote(priority)} is neither one of {', '.join(PRIORITIES)} "
        f"nor a number from 0 to {PRIORITY_MAX}"
    )


def _whole(number: object) -> bool:
    """Whether it is a whole number, and no truth value, which Python takes for one."""
    return isinstance(number, int) and not isinstance(number, bool)


def token_of(request: Request) -> str | None:
    """Return the token that :meth:`RequestOptions.record` put into a request; None: not ours."""
    data = request.doc.get("requestor_data")
    ours = data.get(DATA_KEY) if isinstance(data, Mapping) else None
    token = ours.get("token") if isinstance(ours, Mapping) else None
    return token if isinstance(token, str) else None
