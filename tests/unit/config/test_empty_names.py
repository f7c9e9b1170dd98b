"""Empty text where a name is meant, wherever the file may have one."""

from collections.abc import Callable
from typing import Final

import pytest
from pydantic import ValidationError

from remuda.config.base import Section
from remuda.config.model import Config
from remuda.config.schema import models
from remuda.config.shape import Many, Shape, ShapeKind, shapes

Says = Callable[..., list[str]]

#: Text that may be empty: what machines and clouds are given as it is, and a prefix.
MAY_BE_EMPTY: Final = frozenset(
    {
        *("node-attributes", "properties", "environment", "arguments", "prefix"),
        *("instance-properties", "dynamic-instance-properties", "user-data", "inline"),
        "secrets",  # of a step: names of those that the recipe has, and compared with them
        "auth",  # read before it is looked at: remuda.config.credential
    }
)
TEXTS: Final = [
    pytest.param(model, shape, id=f"{model.__name__} {shape.key}")
    for model in models(Config)
    for shape in shapes(model).values()
    if shape.kind is ShapeKind.TEXT and shape.key not in MAY_BE_EMPTY
]


@pytest.mark.parametrize(("model", "shape"), [one for one in TEXTS if not one.values[1].host_file])
def test_no_name_is_empty(model: type[Section], shape: Shape) -> None:
    """A launch would ask for it, and be refused, again and again."""
    for empty in ("", " ", "\n") if shape.key not in {"command", "run"} else ("",):
        value = [empty] if shape.many is Many.LIST else empty

        with pytest.raises(ValidationError) as caught:
            model.model_validate({shape.key: value})

        assert shape.key in {each["loc"][0] for each in caught.value.errors()}, repr(empty)


def test_no_file_is_named_by_nothing(says: Says, good: str) -> None:
    """It would be the folder of the configuration itself."""
    lines = says(good.replace("cloud: osic", "ssh-key-file: ' '\n    cloud: osic"))

    assert lines == [
        (
            "6:19: providers.osic.ssh-key-file: is empty; "
            "write the name of a file, or leave the key out"
        )
    ]


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("networks: [a, '']", "networks[1]: '' is empty; write a name, or leave the key out"),
        (
            "key-name: ' a'",
            "key-name: ' a' begins or ends with a blank; write 'a'; Nova refuses others",
        ),
        (
            "image: |\n              debian",
            (
                r"image.name: 'debian\n' has a line end or another control character in it;"
                " write it in one line"
            ),
        ),
        (
            f"security-groups: [{'a' * 256}]",
            (
                f"security-groups[0]: {('a' * 256)!r:.60}… is longer than 255 characters;"
                " no cloud has such a name"
            ),
        ),
    ],
)
def test_names_that_no_cloud_has(says: Says, good: str, entry: str, complaint: str) -> None:
    """What a cloud would refuse to look for, or could not have."""
    kept = "" if entry.startswith("image") else "image: ubuntu\n            "
    lines = says(good.replace("image: ubuntu", kept + entry))

    assert [line.split(" ", 1)[1] for line in lines] == [
        f"providers.osic.pools.main.labels.small.{complaint}"
    ]
