"""Room for images: what Glance counts, and how it refuses.

As Glance does it with limits from Keystone: the number of images is a hard limit, their size is
looked at before data is taken, so that the last one may go beyond it (glance/quota/keystone.py).
"""

from __future__ import annotations

from typing import Any

from sandbox.image.model import Image, ImageState, ImageStore
from sandbox.quota import Quotas, exceeds
from sandbox.web.errors import ApiError


class ImageRoom:
    """What projects have of one region's images, and may have."""

    def __init__(self, store: ImageStore, quotas: Quotas) -> None:
        self._store = store
        self._quotas = quotas

    def check_count(self, project_id: str) -> None:
        """Refuse one more image.

        Raises:
            ApiError: 413.
        """
        count, limit = len(self._of(project_id)), self._quotas.of(project_id).images
        if exceeds(limit, count, 1):
            raise over_quota(project_id, "image_count_total", limit, count)

    def check_size(self, project_id: str) -> None:
        """Refuse data if there is as much as there may be.

        Raises:
            ApiError: 413.
        """
        size, limit = self._mib(project_id), self._quotas.of(project_id).images_mib
        if exceeds(limit, size, 1):
            raise over_quota(project_id, "image_size_total", limit, size)

    def usage(self, project_id: str) -> dict[str, Any]:
        """Return what ``/v2/info/usage`` says."""
        quota, images = self._quotas.of(project_id), self._of(project_id)
        uploading = sum(each.state is ImageState.SAVING for each in images)
        return {
            "image_size_total": {"usage": self._mib(project_id), "limit": quota.images_mib},
            "image_stage_total": {"usage": 0, "limit": -1},
            "image_count_total": {"usage": len(images), "limit": quota.images},
            "image_count_uploading": {"usage": uploading, "limit": -1},
        }

    def _of(self, project_id: str) -> list[Image]:
        return [each for each in self._store.images.values() if each.project_id == project_id]

    def _mib(self, project_id: str) -> int:
        return sum(each.size or 0 for each in self._of(project_id)) >> 20


def over_quota(project_id: str, name: str, limit: int, used: int) -> ApiError:
    """Return Glance's refusal."""
    return ApiError(
        413,
        f"Project {project_id} is over a limit for [Resource {name} is over limit of {limit}"
        f" due to current usage {used} and delta 1]",
    )
