"""A real builder process whose hands ask for machines, and do nothing with them.

``python -m tests.support.scripted_builder --config FILE``: for tests of what a process does by
itself: records, requests, reload, sharing, the end.
"""

from pathlib import Path

import click

from builder.build.events import AdoptionEnded, MakingEnded
from builder.build.tasks import AdoptTask, MakeTask
from builder.daemon import BuilderRole
from builder.hands.api import Hands
from builder.hands.means import HandMeans
from builder.place.actions import ListPlace, Look
from builder.place.events import ImagesListed, ProviderSeen, SweepEnded
from builder.place.tasks import SweepTask
from builder.upload.actions import CondemnUpload, RetireUpload
from builder.upload.events import CopyEnded, RetirementEnded, TrialEnded
from builder.upload.tasks import CopyTask, EraseTask, TrialTask
from remuda.cli.serving import process_options, serve
from remuda.frame.process import Process
from remuda.model.build import Base
from remuda.model.image import BuildId
from remuda.model.imageask import ImageAsk, ImageUse, image_label
from requestor.client import Client
from tests.support.notakehomes import NoTakeHomes

PLACE = "a" * 12
#: Nobody waits for a machine so long; the test has ended the process.
_STOPS_S = 600.0


class ScriptedHands:
    """Hands whose clouds have every base, and no image."""

    def __init__(self, means: HandMeans) -> None:
        self.means = means

    def make(self, order: MakeTask) -> MakingEnded:
        """Ask for a machine, and keep the request until told to stop."""
        build = order.build.value
        with Client(self.means.store, requestor=f"builder/{build.id.image}") as client:
            client.request(
                image_label(build.id.image, ImageUse.MAKE),
                provider=build.provider,
                reuse=False,
                priority=900,
                image=ImageAsk(use=ImageUse.MAKE),
            )
            order.stop.wait(_STOPS_S)
        return MakingEnded(id=build.id, why="told to stop")

    def look(self, action: Look) -> ProviderSeen:
        """Find everything."""
        bases = {image: Base(id="base") for image in action.bases}
        return ProviderSeen(provider=action.provider, place=PLACE, bases=bases)

    def list_images(self, action: ListPlace) -> ImagesListed:
        """Find nothing."""
        now_s = self.means.clock.now_s()
        return ImagesListed(place=action.place, begun_s=now_s, images={})

    def close(self) -> None:
        """Have nothing that runs here."""

    def adopt(self, order: AdoptTask) -> AdoptionEnded:
        """Refuse."""
        return AdoptionEnded(action=order.action, why="not here")

    def copy(self, order: CopyTask) -> CopyEnded:
        """Refuse."""
        return CopyEnded(id=order.upload.value.id, why="not here")

    def validate(self, order: TrialTask) -> TrialEnded:
        """Refuse."""
        return TrialEnded(id=order.upload.value.id, provider=order.provider, why="not here")


class ScriptedKeeping:
    """Keeps everything."""

    def retire(self, action: RetireUpload) -> RetirementEnded:
        """Refuse."""
        return RetirementEnded(action=action, why="not here")

    def condemn(self, action: CondemnUpload) -> RetirementEnded:
        """Refuse."""
        return RetirementEnded(action=action, why="not here")

    def erase(self, order: EraseTask) -> RetirementEnded:
        """Refuse."""
        return RetirementEnded(action=order.action, why="not here")

    def sweep(self, order: SweepTask) -> SweepEnded:
        """Fail: there is nothing to sweep."""
        raise AssertionError(order)


class NoLogs:
    """There are no logs."""

    def erase(self, build: BuildId) -> None:
        """Do nothing."""


def scripted(means: HandMeans) -> Hands:
    """Return such hands."""
    one = ScriptedHands(means)
    return Hands(
        making=one,
        adopting=one,
        copying=one,
        validating=one,
        retiring=ScriptedKeeping(),
        looking=one,
        sweeping=ScriptedKeeping(),
        logs=NoLogs(),
        taking_home=NoTakeHomes(),
    )


@click.command()
@process_options
def main(config: Path, log_format: str, log_level: str) -> None:
    """Run it."""
    process = Process(config_path=config, role=BuilderRole(wire=scripted))
    serve("scripted builder", process.run, log_format=log_format, log_level=log_level)


if __name__ == "__main__":
    main()
