"""A builder's hands for take-home images that are never asked for any."""

from builder.takehome.events import TakeHomeEnded
from builder.takehome.tasks import TakeHomeTask


class NoTakeHomes:
    """See :class:`builder.takehome.tasks.TakeHomeMaker`."""

    def make(self, task: TakeHomeTask) -> TakeHomeEnded:
        """Fail: nobody has wished any."""
        raise AssertionError(task.record.value.node)

    def end(self, task: TakeHomeTask) -> TakeHomeEnded:
        """Fail: there is none."""
        raise AssertionError(task.record.value.node)

    def keep(self, task: TakeHomeTask) -> TakeHomeEnded:
        """Fail: there is none."""
        raise AssertionError(task.record.value.node)
