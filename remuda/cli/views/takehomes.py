"""Holds that go on as images, as a table."""

from collections.abc import Mapping
from typing import Any, Final

from remuda.cli.output import Sheet
from remuda.insight.takehomes import read_take_homes, remarks, until
from remuda.model.takehome import TakeHome
from remuda.store.api import Store

_COLUMNS: Final = ("IMAGE OF", "STATE", "LABEL", "PROVIDER", "OWNER", "UNTIL", "IMAGE", "NOTE")


def take_homes_sheet(store: Store, *, owner: str | None) -> Sheet:
    """Return the take-home images of everybody, or of one *owner*."""
    found = [one for one in read_take_homes(store) if owner is None or one.by == owner]
    return Sheet(
        columns=_COLUMNS,
        rows=[
            (
                one.node,
                str(one.state),
                one.label,
                one.provider,
                one.by or "-",
                until(one) or "-",
                one.cloud_image or "-",
                remarks(one),
            )
            for one in found
        ],
        data=[take_home_json(one) for one in found],
        notes=[],
    )


def take_home_json(one: TakeHome) -> Mapping[str, Any]:
    """Return an image with the stable keys of docs/cli.md."""
    return {
        "node": one.node,
        "state": str(one.state),
        "label": one.label,
        "provider": one.provider,
        "cloud": one.cloud or None,
        "region": one.region or None,
        "image": one.cloud_image,
        "flavor": one.flavor or None,
        "login": one.username or None,
        "share_with": one.wish.share_with,
        "public": one.wish.public,
        "shared": one.shared,
        "trouble": one.trouble,
        "failure": one.failure,
        "owner": one.by,
        "reason": one.reason,
        "ends_at_s": one.ends_s,
    }
