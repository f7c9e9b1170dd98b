"""Orders that the cloud refuses before anything is made: counted, shown, and never repeated."""

from dataclasses import replace

from launcher.claim.actions import Claim
from launcher.node.actions import Condemn
from launcher.provider.actions import Survey
from launcher.provider.cloud import Recipe, Refused
from launcher.provider.events import Surveyed
from launcher.provider.status import our_status
from launcher.server.actions import CreateServer
from launcher.server.events import Created
from launcher.world import World
from remuda.cloud.api import BadOrderError, Flavor, Image, Quota, TryLaterError
from remuda.frame.work import Written
from remuda.metrics.results import Result
from remuda.model.request import RequestState
from remuda.runtime.now import Now
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_request,
    asked,
    later,
    of_kind,
    started,
    think,
    world,
)

NO_KEY = BadOrderError("HTTP 400: invalid key_name provided")
KEY = ("main", "small")


def stage() -> tuple[World, Works]:
    """Return a world with one claimed request."""
    made = world(pools={"main": {"max-servers": 10}})
    add_claim(made, add_request(made, 1, "small", state=RequestState.PENDING))
    return made, Works(made)


def refused(made: World, works: Works, number: int, now: Now) -> None:
    """Have one create call refused, and its intent given up."""
    view = asked(made, number)
    works.hear(Created(node=view.id, result=NO_KEY, seconds=0.1), now)
    condemn = Condemn(node=view.id, cause=str(NO_KEY), result=Result.ORDER)
    works.hear(Written(action=condemn, result=()), now)
    made.drop_node(view.id)


def surveyed(made: World, begun: Now, **recipes: Recipe) -> Surveyed:
    """Return what a survey tells: as before, besides *recipes* of labels in the pool."""
    there = {**made.cloud.recipes, **{("main", label): one for label, one in recipes.items()}}
    return Surveyed(begun_s=begun.mono_s, recipes=there, policy=made.policy)


def test_nothing_like_it_is_ordered_before_a_survey_that_was_begun_later() -> None:
    """One that was under way may have seen what has gone since."""
    made, works = stage()
    refused(made, works, 1, later(1.0))
    plan = think(made, later(1.0))
    works.hear(surveyed(made, later(0.5)), later(2.0))
    early = think(made, later(2.0))
    works.hear(surveyed(made, later(2.5)), later(3.0))
    late = think(made, later(3.0))

    assert [len(of_kind(one, Survey)) for one in (plan, early, late)] == [1, 1, 0]
    assert [started(one) for one in (plan, early, late)] == [0, 0, 1]
    assert "invalid key_name" in plan.verdicts[next(iter(made.queue.views))].reason


def test_refusals_open_the_breaker_which_pauses_longer_and_longer() -> None:
    """Whatever in the order is wrong: nobody has to ask for it, min-ready is enough."""
    made, works = stage()
    threshold = made.policy.breaker_failures
    for number in range(1, threshold + 1):
        refused(made, works, number, NOW)
    works.hear(surveyed(made, later(1.0)), later(1.0))
    first_s = made.cloud.breaker(KEY).open_until_s - NOW.mono_s
    held = think(made, later(1.0))
    again = Now(wall_s=NOW.wall_s + first_s, mono_s=NOW.mono_s + first_s)
    probes = started(think(made, again))
    refused(made, works, 50, again)
    second_s = made.cloud.breaker(KEY).open_until_s - again.mono_s

    assert (started(held), probes) == (0, 1)
    assert second_s == 2 * first_s
    assert "invalid key_name" in str(our_status(made, again).labels["small"].broken)


def test_another_image_or_flavor_is_tried_at_once() -> None:
    """The old one may have been what the cloud refused: nights bring new images."""
    made, works = stage()
    for number in range(1, made.policy.breaker_failures + 1):
        refused(made, works, number, NOW)
    new = Recipe(
        image=Image(id="image-2", name="new"),
        flavor=Flavor(id="2", name="m1", cores=1, ram_mib=1024, disk_gib=10),
    )
    works.hear(surveyed(made, later(1.0)), later(1.0))
    same = started(think(made, later(1.0)))
    works.hear(surveyed(made, later(2.0), small=new), later(2.0))

    assert (same, started(think(made, later(2.0)))) == (0, 1)


def test_a_refused_order_is_charged_to_who_it_was_for() -> None:
    """After so many tries the request goes to whoever else serves it."""
    made, works = stage()
    view = asked(made, 1)
    works.hear(Created(node=view.id, result=NO_KEY, seconds=0.1), NOW)

    (condemn,) = of_kind(think(made), Condemn)

    assert (condemn.node, condemn.result) == (view.id, Result.ORDER)


def test_other_labels_are_not_held_back() -> None:
    """Only what was refused is doubtful."""
    made, works = stage()
    refused(made, works, 1, NOW)
    add_request(made, 2, "large")

    assert [intent.label for one in of_kind(think(made), Claim) for intent in one.intents] == [
        "large"
    ]
    assert of_kind(think(made), CreateServer) == []


def test_only_what_the_order_named_is_looked_up_anew() -> None:
    """A cloud that refuses one thing must not be asked for all others each time."""
    made, works = stage()
    refused(made, works, 1, NOW)
    made.cloud.quota = Quota(instances_max=7)
    large = made.cloud.recipes["main", "large"]
    made.cloud.broken["main", "odd"] = "no such flavor"
    (survey,) = of_kind(think(made), Survey)
    works.cloud.images.clear()
    told = works.starter.cloud.survey(made.policy, (0, 0, 0), {}, survey.only)
    whole_s = made.cloud.survey_due_s
    works.hear(replace(told, begun_s=later(1.0).mono_s), later(1.0))

    assert survey.only == {KEY}
    assert set(told.broken) == {KEY}
    assert set(made.cloud.broken) == {KEY, ("main", "odd")}
    assert made.cloud.recipes == {("main", "large"): large}
    assert made.cloud.quota == Quota(instances_max=7)
    assert made.cloud.survey_due_s < whole_s  # what cannot be made is looked for more often
    assert of_kind(think(made, later(1.0)), Survey) == []


def test_what_is_refused_before_a_survey_of_others_begins_is_looked_up_after_it() -> None:
    """A survey waits for its turn, and looks up only what was refused when it was ordered."""
    made, works = stage()
    refused(made, works, 1, NOW)
    (survey,) = of_kind(think(made), Survey)
    large = ("main", "large")
    made.cloud.refusals[large] = Refused(why="no such zone", at_s=later(1.0).mono_s)
    made.cloud.doubted[large] = later(1.0).mono_s
    told = works.starter.cloud.survey(made.policy, (0, 0, 0), {}, survey.only)
    works.hear(replace(told, begun_s=later(2.0).mono_s), later(3.0))

    assert set(made.cloud.refusals) == {large}
    assert [one.only for one in of_kind(think(made, later(3.0)), Survey)] == [{large}]


def test_a_cloud_that_does_not_answer_is_not_asked_at_once_again() -> None:
    """Whatever it was to be asked for."""
    made, works = stage()
    refused(made, works, 1, NOW)
    (survey,) = of_kind(think(made), Survey)
    failed = Surveyed(begun_s=NOW.mono_s, error=TryLaterError("503"), only=survey.only)
    works.hear(failed, later(1.0))

    assert of_kind(think(made, later(2.0)), Survey) == []
    assert len(of_kind(think(made, later(11.0)), Survey)) == 1
