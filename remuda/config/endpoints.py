"""Where the status endpoints of processes listen."""

from pydantic import Field

from remuda.config.base import Named, Section, Whole


class ProviderWeb(Section):
    """The status endpoint of the launchers of one provider: what it leaves out is as in `web`."""

    listen: Named | None = Field(default=None, description="Address to listen on.")
    port: Whole | None = Field(
        default=None, ge=0, le=65535, description="0: any free port; it is logged."
    )


class Web(Section):
    """The status endpoint of a launcher or builder."""

    listen: Named = Field(default="127.0.0.1", description="Address to listen on.")
    port: Whole = Field(
        default=0,
        ge=0,
        le=65535,
        description="0: any free port; it is logged, and written below /remuda/replicas.",
    )
