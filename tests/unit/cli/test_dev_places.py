"""Where `remuda dev` puts its providers: what has to become of images between them."""

from pathlib import Path

import pytest
import yaml

from remuda.cli.dev import recipe
from remuda.cli.dev.keys import write_keys
from remuda.cli.dev.plan import (
    DevPlan,
    Places,
    clouds_of,
    merged_clouds,
    remuda_document,
    sandbox_document,
)
from remuda.config.loader import read
from remuda.config.recipes import recipes
from sandbox.clouds_yaml import clouds_yaml
from sandbox.config import with_secrets
from sandbox.config_file import parse


@pytest.mark.parametrize(
    ("places", "sandboxes", "regions", "projects"),
    [
        (Places.APART, 2, 1, 1),
        (Places.REGIONS, 1, 2, 1),
        (Places.PROJECTS, 1, 1, 2),
        (Places.TOGETHER, 1, 1, 1),
    ],
)
def test_providers_are_where_they_are_wanted(
    tmp_path: Path, places: Places, sandboxes: int, regions: int, projects: int
) -> None:
    """The sandbox's own reader and the loader are the judges; there is room for all."""
    plan = DevPlan(
        folder=tmp_path,
        clouds=clouds_of(tmp_path, 2, places),
        machines="none",
        boot_s=1.0,
        user="root",
        ssh_port=2222,
    )
    configs = [with_secrets(parse(sandbox_document(plan, one))) for one in plan.sandboxes]
    documents = [
        yaml.safe_load(clouds_yaml(one, "http://127.0.0.1:1/v3", "http://127.0.0.1:1/sandbox/v1"))
        for one in configs
    ]
    merged = merged_clouds(documents)["clouds"]
    write_keys(plan)
    plan.script_file.write_text(recipe.SCRIPT)
    plan.clouds_file.write_text(yaml.safe_dump({"clouds": merged}))
    plan.config_file.write_text(yaml.safe_dump(remuda_document(plan, ["127.0.0.1:2181"])))
    reading = read(plan.config_file)

    assert reading.problems == ()
    assert reading.config is not None
    found = [
        (one.cloud, one.region, merged[one.cloud]["auth"]["project_name"])
        for one in reading.config.providers.values()
    ]
    assert len(configs) == sandboxes
    assert len({region for _, region, _ in found}) == regions
    assert len({project for _, _, project in found}) == projects
    assert all(region in config.regions for config in configs[:1] for _, region, _ in found)
    assert all("sandbox_control" in merged[cloud] for cloud, _, _ in found)
    known = recipes(reading.config.images, reading.config.image_defaults, ["alpha", "beta"])
    image = known[recipe.IMAGE]
    assert [image.makings[one].copy_from for one in ("alpha", "beta")] == [None, "alpha"]
    assert sum(config.quota.instances for config in configs) == 20
