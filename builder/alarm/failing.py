"""What comes to nothing again and again: builds, trials, copies."""

from typing import Final

from builder.actions import Plan
from builder.alarm.actions import RaiseAlarm
from builder.build import due
from builder.build.lifecycle import unwanted
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.images.failed import changed_since, last_good
from remuda.model.build import ACHIEVED, Blame, Build, BuildState
from remuda.model.fields import one_line
from remuda.model.image import OURSELVES
from remuda.model.upload import ENDED, Upload, UploadState

_SPOILED: Final = "its machines fail by no fault of the image"
_NO_WAY: Final = "again and again, by no fault of the image"
#: Of what was said, in an alarm; `image show` and the log have all of it.
_SAID_CHARS_MAX: Final = 200
_ENDED_BUILDS: Final = ACHIEVED | {BuildState.FAILED}
_UNMADE: Final = frozenset({UploadState.PENDING, UploadState.MAKING})


def step(view: WorldView, policy: ImagePolicy, plan: Plan) -> None:
    """Add alarms for what fails of an image."""
    _failures(view, policy, plan)
    _spoiled(view, policy, plan)
    for provider in policy.providers:
        _withdrawn(view, policy, provider, plan)


def _failures(view: WorldView, policy: ImagePolicy, plan: Plan) -> None:
    for group in policy.groups:
        mine = [one for one in view.builds(policy.image) if one.group == group]
        failed, name = due.streak(view, mine), ", ".join(group)
        if failed >= policy.failures_alarm:
            text = f"{failed} builds in a row for {name} came to nothing"
            plan.do(RaiseAlarm(image=policy.image, text=text))
        if failed:
            _broken_recipe(view, policy, mine, name, plan)


def _broken_recipe(
    view: WorldView, policy: ImagePolicy, mine: list[Build], name: str, plan: Plan
) -> None:
    """Say at once that the newest build has failed as the next one will; a mirror may be back.

    What is captured has no recipe to mend: the next one is of another machine.
    """
    ended = [one for one in mine if one.state in _ENDED_BUILDS]
    last = ended[-1] if ended else None
    if last is None or last.state is not BuildState.FAILED or last.mishap is None:
        return
    told = last.mishap.blame is Blame.RECIPE and last.unwanted is None and last.captured is None
    if not told or last.fingerprint != policy.fingerprint:
        return  # or the recipe has been changed since
    good = last_good(mine, view.uploads, last)
    said = one_line(last.mishap.said, _SAID_CHARS_MAX)
    changed = changed_since(good, last)
    text = f"build {last.id.number} for {name} failed ({said}); {changed}"
    plan.do(RaiseAlarm(image=policy.image, text=text))


def _spoiled(view: WorldView, policy: ImagePolicy, plan: Plan) -> None:
    """Say where nothing can be proven, or brought, by whoever's fault but the image's."""
    for build in view.builds(policy.image):
        if unwanted(build) is not None:
            continue
        for upload in view.uploads(build.id):
            for provider, trial in sorted(upload.trials.items()):
                ended = upload.state in ENDED or provider not in policy.providers
                if trial.spoiled >= policy.failures_alarm and not ended:
                    text = f"build {build.id.number} cannot be tried in {provider}: {_SPOILED}"
                    plan.do(RaiseAlarm(image=policy.image, text=text))
            _uncopied(view, policy, upload, plan)


def _uncopied(view: WorldView, policy: ImagePolicy, upload: Upload, plan: Plan) -> None:
    """Say which providers a build does not come to."""
    number = upload.id.build.number
    lacking = [
        one.name
        for one in view.at(upload.id.place)
        if one.name in policy.providers and _lacks(view, policy.image, one.name, number)
    ]
    if not lacking:
        return
    what = f"build {number} cannot be copied for {', '.join(lacking)}"
    if upload.state in _UNMADE and upload.spoiled >= policy.failures_alarm:
        plan.do(RaiseAlarm(image=policy.image, text=f"{what}: {_NO_WAY}"))
    elif upload.state is UploadState.FAILED and upload.attempt >= policy.attempts_max:
        plan.do(RaiseAlarm(image=policy.image, text=f"{what}: it was given up"))


def _withdrawn(view: WorldView, policy: ImagePolicy, provider: str, plan: Plan) -> None:
    """Say which build was tried, and found bad, as long as nothing newer is current."""
    stored = view.library.pointers.get((policy.image, provider))
    if stored is None:
        return
    for number, word in sorted(stored.value.withdrawn.items()):
        if word.who == OURSELVES and number > stored.value.current:
            text = f"build {number} was tried in {provider}, and withdrawn: {word.why}"
            plan.do(RaiseAlarm(image=policy.image, text=text))


def _lacks(view: WorldView, image: str, provider: str, number: int) -> bool:
    """Whether a provider has nothing as new as a build."""
    pointer = view.library.pointers.get((image, provider))
    return pointer is None or pointer.value.current < number
