"""Who may see and change which image.

Glance 33 answers 404 for an image that one may not see, and 403, with the name of the action, for
one that one may only look at.
"""

from __future__ import annotations

from sandbox.image.model import Image, ImageStore
from sandbox.web.call import About, Call
from sandbox.web.errors import ApiError


class Access:
    """The images as one project sees them."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store

    def about(self, call: Call) -> About:
        """Describe the image that a call is about, for fault rules."""
        image = self._store.images.get(call.param("id"))
        return described(image) if image else About()

    def seen(self, call: Call) -> Image:
        """Return the image that a call is about.

        Raises:
            ApiError: 404, if there is none or the caller may not see it.
        """
        image = self._store.get(call.param("id"))
        if not (call.who.is_admin or self._store.usable_by(image, call.who.project_id)):
            raise ApiError(404, f"No image found with ID {image.id}")
        return image

    def own(self, call: Call, action: str) -> Image:
        """Return the image that a call wants to change.

        Raises:
            ApiError: As :meth:`seen`; 403, if it is somebody else's.
        """
        image = self.seen(call)
        if image.project_id != call.who.project_id and not call.who.is_admin:
            raise refused(action)
        return image


def check_visibility(call: Call, visibility: str | None) -> None:
    """Let only administrators show an image to everybody.

    Raises:
        ApiError: 403.
    """
    if visibility == "public" and not call.who.is_admin:
        raise refused("publicize_image")


def refused(action: str) -> ApiError:
    """Return Glance's refusal."""
    return ApiError(403, f"You are not authorized to complete {action} action.")


def described(image: Image) -> About:
    """Describe an image for fault rules."""
    return About(
        name=image.name,
        image=image.name,
        metadata={key: str(value) for key, value in image.properties.items()},
    )
