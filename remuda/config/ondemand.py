"""Images that are made when somebody uses them."""

from typing import Literal

from pydantic import Field

from remuda.config.base import Duration, Section


class OnDemandFrom(Section):
    """Whether an image is made before anybody asks for it, and how long it stays unused."""

    build: Literal["ahead", "on-demand"] = Field(
        default="ahead",
        description="on-demand: it is made once somebody uses it. Until then, and where there is "
        "no build of this very recipe, each machine runs the recipe's steps itself before its "
        "setup. schedule, canary, rollout-window, freshness and start-from of image-defaults do "
        "not count.",
    )
    ttl: Duration | None = Field(
        default=None,
        ge=60,
        le=366 * 86400,
        description="Needed with build: on-demand: unused for so long, all of its builds go.",
    )
