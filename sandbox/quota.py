"""Quotas by project, in one region."""

from __future__ import annotations

from sandbox.config import Quota


class Quotas:
    """The quota of every project: the configured one until it is changed."""

    def __init__(self, default: Quota) -> None:
        self.default = default
        self._changed: dict[str, Quota] = {}

    def of(self, project_id: str) -> Quota:
        """Return a project's quota."""
        return self._changed.get(project_id, self.default)

    def change(self, project_id: str, quota: Quota) -> None:
        """Set a project's quota."""
        self._changed[project_id] = quota

    def reset(self, project_id: str) -> None:
        """Go back to the configured one."""
        self._changed.pop(project_id, None)


def exceeds(limit: int, used: int, more: int) -> bool:
    """Say whether *more* does not fit any longer; a negative limit is none."""
    return limit >= 0 and used + more > limit
