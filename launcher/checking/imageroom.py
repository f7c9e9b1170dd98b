"""Images of ours: has the cloud room for them, and can their labels boot them?"""

from collections.abc import Mapping

from launcher.checking.findings import Area, Findings
from launcher.checking.means import Means
from launcher.policy import Key
from launcher.provider.cloud import Recipe
from remuda.cloud.image_store import ImageUsage
from remuda.model import tags
from remuda.model.imageask import ImageUse, image_label


def check_images(means: Means, out: Findings, recipes: Mapping[Key, Recipe]) -> None:
    """Compare what builders will make here with the image quota, and with the labels' flavors."""
    for image in sorted(means.policy.kept):
        _check_disk(means, out, recipes, image)
    if means.policy.kept:
        _check_room(means, out)


def _check_disk(means: Means, out: Findings, recipes: Mapping[Key, Recipe], image: str) -> None:
    """An image boots from no smaller disk than the one that it was made on."""
    make = image_label(image, ImageUse.MAKE)
    disks = [one.flavor.disk_gib for key, one in recipes.items() if key[1] == make]
    needed = min(disks, default=0)
    for key, built in sorted(means.policy.built.items()):
        recipe = recipes.get(key)
        if built != image or recipe is None or not needed or recipe.volume_gib >= needed:
            continue
        disk = recipe.flavor.disk_gib
        if 0 < disk < needed and not recipe.volume_gib:
            out.problem(
                Area.LABEL,
                f"{key[0]}/{key[1]} disk",
                f"{image} is made on a disk of {needed} GiB and boots from no smaller one; the "
                f"flavor {recipe.flavor.name} has {disk} GiB",
                "give the image a flavor with a smaller disk, or the label one with a larger disk",
            )


def _check_room(means: Means, out: Findings) -> None:
    """Beside what is kept of each image there has to be room for the next candidate."""
    kept = means.policy.kept
    wanted = sum(kept.values()) + len(kept)
    usage: ImageUsage | None = None
    others = 0
    with out.guarded(Area.QUOTA, "images"):
        usage = means.images.usage()
        others = sum(
            not tags.descends_from_build(one.properties) for one in means.images.list_images()
        )
    if usage is None or usage.images_max is None:
        out.untested(Area.QUOTA, "images", "the cloud tells no limit for images")
    elif usage.images_max < wanted + others:
        out.problem(
            Area.QUOTA,
            "images",
            f"{wanted} images of ours are to be kept, with one candidate of each; the quota allows "
            f"{usage.images_max}, and {others} others are there",
            "raise the image quota, lower keep, or remove other images: builds will wait",
        )
    else:
        text = f"{wanted} images of ours and {others} others, the quota allows {usage.images_max}"
        out.ok(Area.QUOTA, "images", text)
