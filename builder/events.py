"""What the brain of a builder hears; what each noun has is in its folder."""

from builder.actions import Action
from builder.build.events import AdoptionEnded, MakingEnded
from builder.place.events import ImagesListed, ProviderSeen, SweepEnded
from builder.recipe.events import RecipesRead
from builder.takehome.events import TakeHomeEnded
from builder.upload.events import CopyEnded, RetirementEnded, TrialEnded
from remuda.frame.work import Finished, HandCrashed, Written
from remuda.membership.membership import Registered

HandEvent = (
    MakingEnded
    | AdoptionEnded
    | CopyEnded
    | TrialEnded
    | RetirementEnded
    | ImagesListed
    | ProviderSeen
    | SweepEnded
    | RecipesRead
    | TakeHomeEnded
    | Written[Action]
)
#: How an action ends.
End = Written[Action] | Finished[Action, HandEvent] | HandCrashed[Action]
#: What the inbox of a builder hears.
News = End | Registered
