"""What is said of recipes that do not fit each other, providers or labels."""

from typing import Final

import pytest

from tests.support.recipes import LABELS, Says

#: A recipe whose parent is to be filled in.
PARENT: Final = "{flavor: a, steps: [{command: a, timeout: 1m}], base: {image: %s}}"


def test_copies_of_copies(told: Says) -> None:
    """Somebody has to build."""
    assert told("    providers: {north: {copy-from: south}, south: {copy-from: north}}\n") == [
        (
            "images.noble.providers.north.copy-from: 'south' has a copy of 'noble' itself; "
            "name the provider in which it is built"
        ),
        (
            "images.noble.providers.south.copy-from: 'north' has a copy of 'noble' itself; "
            "name the provider in which it is built"
        ),
    ]


def test_a_recipe_that_does_not_say_what_it_needs(told: Says) -> None:
    """Once for each key; where it lacks in some providers only, these are named."""
    text = LABELS.replace("    base: ubuntu-noble\n    flavor: {ram: 4GiB}\n", "    keep: 2\n")
    hint = "write it here, below one of its providers, or in image-defaults"

    assert told(text=text) == [
        f"images.noble: needs base; {hint}",
        f"images.noble: needs flavor; {hint}",
    ]
    assert told("    providers: {north: {base: a, flavor: b}, south: }\n", text) == [
        f"images.noble: needs base for south; {hint}",
        f"images.noble: needs flavor for south; {hint}",
    ]
    assert told("image-defaults: {base: a, providers: {north: {flavor: b}}}\n", text) == []
    # A key that is there, but misspelled, is not missing as well.
    assert [one.split(":")[0] for one in told("    bse: a\n    flavro: b\n", text)] == [
        "images.noble.bse",
        "images.noble.flavro",
    ]


def test_secrets_of_all_images_are_known_to_each(told: Says) -> None:
    """But a step of all images can name only those that all have."""
    text = LABELS.replace("as-root: true", "secrets: [ALL, OWN]")
    more = """\
    secrets: {OWN: {environment: B}}
image-defaults:
  secrets: {ALL: {environment: A}}
  steps: [{command: a, timeout: 1m, secrets: [ALL, OWN]}]
"""

    assert told(more, text) == [
        "image-defaults.steps[0].secrets[1]: no such secret; known here: ALL"
    ]


def test_variables_that_are_secrets(told: Says, warned: Says) -> None:
    """One name for two things is wrong; what looks like a secret is only warned of."""
    text = LABELS.replace("as-root: true", "secrets: [TOKEN]")

    assert told("    secrets: {TOKEN: {environment: A}}\n    environment: {TOKEN: b}\n", text) == [
        "images.noble.environment.TOKEN: is a secret of this image as well; keep one of them"
    ]
    assert warned("    environment: {PYPI_TOKEN: b, A: c}\n") == [
        (
            "images.noble.environment.PYPI_TOKEN: "
            "looks like a secret, which would be known to all who read this file"
        )
    ]


def test_parents(told: Says) -> None:
    """That are not there, or not where their children are."""
    more = f"  two: {PARENT % 'nobel'}\n  three: {PARENT % 'noble'}\n"

    assert told(more) == ["images.two.base.image: no such image; did you mean 'noble'?"]
    fewer = "    providers: {north: }\n"
    assert told(fewer + more.replace("nobel", "noble")) == []
    everywhere = more.replace("nobel", "noble").replace("{flavor", "{providers: {south: }, flavor")
    assert told(fewer + everywhere.splitlines()[1] + "\n") == [
        (
            "images.three.base.image: 'noble' is not made in provider 'south', where 'three' is; "
            "add south to the providers of noble, or give three fewer"
        )
    ]


def test_circles_of_parents(told: Says) -> None:
    """Each is told once, from the first of its names."""
    circles = "".join(
        f"  {child}: {PARENT % parent}\n"
        for child, parent in [("c", "a"), ("a", "b"), ("b", "c"), ("d", "d"), ("e", "a")]
    )
    hint = "let one of them start from an image of the cloud"

    assert told(circles) == [
        f"images.a.base.image: leads back to 'a': a → b → c → a; {hint}",
        f"images.d.base.image: leads back to 'd': d → d; {hint}",
    ]


def test_the_base_of_all_images_is_no_base_of_itself(told: Says) -> None:
    """The image that all start from needs one of its own."""
    text = LABELS.replace("    base: ubuntu-noble\n", "")

    assert told("image-defaults: {base: {image: noble}}\n", text) == [
        (
            "image-defaults.base.image: leads back to 'noble': noble → noble; "
            "let one of them start from an image of the cloud"
        )
    ]


@pytest.mark.parametrize(
    ("schedule", "freshness", "pause"),
    [
        ("{max-age: 1d}", "20h", "1d"),
        ("{max-age: 1d}", "1d", "1d"),
        ("{cron: 30 2 * * *, time-zone: Europe/Berlin}", "25h", "25h"),
        ("{cron: 0 4 * * MON}", "6d", "1w"),
        ("{max-age: 1d}", "25h", ""),
        ("{cron: 0 4 * * MON}", "8d", ""),
        ("null", "1h", ""),
    ],
)
def test_a_freshness_that_no_build_can_keep(
    told: Says, schedule: str, freshness: str, pause: str
) -> None:
    """Whichever of the two sections says which of the two."""
    expected = (
        f": is not longer than the {pause} between builds of 'noble'; "
        "write more, to leave time for the build, or build more often"
    )
    for own, common, path in (
        (("schedule", "freshness"), (), "images.noble.freshness"),
        (("schedule",), ("freshness",), "image-defaults.freshness"),
        (("freshness",), ("schedule",), "images.noble.freshness"),
    ):
        values = {"schedule": schedule, "freshness": freshness}
        more = "".join(f"    {key}: {values[key]}\n" for key in own)
        more += "image-defaults:\n" + "".join(f"  {key}: {values[key]}\n" for key in common)

        assert told(more) == ([path + expected] if pause else [])


def test_a_label_that_names_no_image_of_ours(told: Says) -> None:
    """Or one that is not made in its provider, or two at once."""
    assert told(text=LABELS.replace("built: noble", "built: nobel")) == [
        (
            "providers.north.pools.main.labels.small.image.built: no such image; "
            "did you mean 'noble'?"
        )
    ]
    assert told("    providers: {south: }\n") == [
        (
            "providers.north.pools.main.labels.small.image.built: 'noble' is not made in provider "
            "'north'; add north to the providers of this image"
        )
    ]
    assert told(text=LABELS.replace("built: noble", "built: noble, name: a")) == [
        (
            "providers.north.pools.main.labels.small.image: has name and built, which exclude "
            "each other: keep one"
        )
    ]


def test_a_volume_that_is_smaller_than_the_image(told: Says) -> None:
    """Equal is enough; of named flavors only the cloud knows the disk."""
    text = LABELS.replace(
        "flavor: m1.small}\n  south", "flavor: a, boot-from-volume: {size: 40GiB}}\n  south"
    )
    large = text.replace("{ram: 4GiB}", "{disk: 41GiB}")
    words = (
        "providers.north.pools.main.labels.small.boot-from-volume: is a volume of 40GiB, but "
        "'noble' is made on a disk of at least 41GiB and boots from no smaller one; "
        "have a larger volume, or less disk in the flavor of the image"
    )

    assert told(text=large) == [words]
    assert told(text=large.replace("41GiB", "40GiB")) == []
    assert told(text=text) == []
    # What is copied has the size of where it is built.
    copied = (
        "    providers: {north: {copy-from: south, flavor: a}, south: {flavor: {disk: 41GiB}}}\n"
    )
    assert told(copied, text) == [words]


def test_warnings(warned: Says) -> None:
    """What is probably not meant."""
    assert warned() == []
    assert warned(
        text=LABELS.replace("4GiB", "4GiB, disk: 20GiB").replace("m1.small", "{disk: 10GiB}")
    ) == [
        (
            "providers.north.pools.main.labels.small.flavor.disk: is less than the 20GiB on which "
            "'noble' is made: it boots from no smaller disk"
        )
    ]
    assert warned("  two: {base: a, flavor: b}\n") == [
        "images.two: has no steps: it would be a copy of its base",
        "images.two: no label boots this image, and no other image starts from it",
    ]
    assert warned(
        "    secrets: {A: {environment: B}}\nimage-defaults: {secrets: {C: {environment: D}}}\n"
    ) == [
        "images.noble.secrets.A: no step names this secret",
        "image-defaults.secrets.C: no step names this secret",
    ]
