"""Gives the hands of places the cloud that their task names, in the configuration of now."""

from dataclasses import dataclass

from builder.hands.means import HandMeans
from builder.place import hand_look, hand_sweep
from builder.place.actions import ListPlace, Look
from builder.place.clouds import Clouds, NoSuchProviderError
from builder.place.events import ImagesListed, ProviderSeen, SweepEnded
from builder.place.sites import Sites
from builder.place.tasks import SweepTask
from remuda.cloud.api import CloudConfigError


@dataclass(frozen=True, slots=True)
class Looking:
    """Looks at clouds."""

    means: HandMeans
    sites: Sites
    hand: hand_look.LookingHand

    def look(self, action: Look) -> ProviderSeen:
        """See :class:`builder.place.tasks.CloudLooker`."""
        with self.means.clouds.used():
            return self._look(action)

    def _look(self, action: Look) -> ProviderSeen:
        try:
            site, cloud = self.sites.of(action.provider), self.means.clouds.of(action.provider)
        except (CloudConfigError, NoSuchProviderError) as exc:
            return ProviderSeen(provider=action.provider, trouble=str(exc))
        return self.hand.look(site, cloud.cloud, action.bases, action.image_bytes)

    def list_images(self, action: ListPlace) -> ImagesListed:
        """See :class:`builder.place.tasks.CloudLooker`."""
        with self.means.clouds.used():
            return self._list_images(action)

    def _list_images(self, action: ListPlace) -> ImagesListed:
        try:
            site = self.sites.of(action.provider)
        except CloudConfigError as exc:
            now_s = self.means.clock.now_s()
            return ImagesListed(place=action.place, begun_s=now_s, why=str(exc))
        return self.hand.list_images(site, action.place)


@dataclass(frozen=True, slots=True)
class Sweeping:
    """Deletes images that no record knows."""

    clouds: Clouds
    hand: hand_sweep.SweepingHand

    def sweep(self, task: SweepTask) -> SweepEnded:
        """See :class:`builder.place.tasks.ImageSweeper`."""
        with self.clouds.used():
            return self.hand.sweep(task.action, task.image, task.provider, listed_s=task.listed_s)
