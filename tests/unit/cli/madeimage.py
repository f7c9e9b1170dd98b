"""A build that a builder really makes in one cloud and carries to another, and commands over it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
import yaml
from click.testing import CliRunner, Result

from builder.place.sites import Site
from builder.recipe.compile import compile_images
from builder.upload.hand_copy import CopyBetweenSites, CopyingHand
from remuda.cli.context import CommandContext
from remuda.cli.image.verify import verify
from remuda.cloud.api import TryLaterError
from remuda.cloud.image_store import ImageStore
from remuda.config import loader, trees
from remuda.config.model import Config
from remuda.model.image import UploadId
from remuda.model.upload import Method, Upload, UploadState, decode_upload, encode_upload
from remuda.store import paths
from remuda.store.api import Create, Set, Stored
from tests.fakes.cloud import FakeCloud
from tests.fakes.glance import FakeGlance, Snapshot
from tests.fakes.image_store import FakeImages
from tests.support.signing import make_signing_key
from tests.support.sshd import make_key
from tests.unit.builder.handbench import BUILD, ME, PROVIDER, Bench, ran
from tests.unit.builder.makings import make

COPIER: Final = "beta"
LISTED: Final = "git:amd64 1:2.39-1\nlibc6:amd64 2.36\nremuda-packages 2\n"
SYSTEM: Final = "id debian\nversion 12\npackages deb\n"


class Made:
    """Two clouds, a configuration with its files, and a build that is in both."""

    def __init__(self, folder: Path, *, fate: Snapshot = Snapshot.OK) -> None:
        self.folder = folder
        self.bench = Bench(folder)
        self.bench.glance.next_snapshots.append(fate)
        self.key, self.public = make_signing_key(folder)
        (folder / "fill.sh").write_text("#!/bin/sh\ntrue\n")
        (folder / "files").mkdir()
        (folder / "files/mirrors").write_text("http://example.org\n")
        self.config: dict[str, Any] = self._config()
        self.far = FakeImages(FakeCloud(self.bench.clock), FakeGlance(region="far"))
        self.images: dict[str, ImageStore] = {PROVIDER: self.bench.images, COPIER: self.far}
        self.away: set[str] = set()
        self.write()

    def _config(self) -> dict[str, Any]:
        make_key(self.folder / "id_ed25519")
        provider = {"cloud": "c", "ssh-key-file": "id_ed25519"}
        pools = {"main": {"networks": ["ci"], "labels": {"small": {"image": "x", "flavor": "y"}}}}
        return {
            "zookeeper": {"hosts": ["fake:2181"]},
            "clouds-file": str(self.folder / "clouds.yaml"),
            "labels": {"small": {}},
            "providers": {name: {**provider, "pools": pools} for name in (PROVIDER, COPIER)},
            "image-signing": {"key-file": self.key.name, "public-key-file": self.public.name},
            "images": {
                "debian": {
                    "base": "debian-12",
                    "flavor": "disk",
                    "username": "debian",
                    "providers": {PROVIDER: None, COPIER: {"copy-from": PROVIDER}},
                    "steps": [
                        {"script": {"file": "fill.sh"}, "name": "fill", "timeout": 60},
                        {"copy": {"from": "files", "to": "/opt/files"}, "timeout": 60},
                    ],
                    "checks-before": [{"script": {"inline": "true"}, "name": "it is there"}],
                }
            },
        }

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.folder / "remuda.yaml"

    def write(self) -> None:
        """Write the configuration."""
        clouds = self.folder / "clouds.yaml"
        clouds.touch(mode=0o600)
        clouds.write_text("clouds: {c: {region_name: R}}\n")
        self.file.write_text(yaml.safe_dump(self.config))

    def made(self, *, signed: bool = True, **build: Any) -> "Made":
        """Make a build with these in its record, and carry it to the other cloud."""
        bench, config = self.bench, loader.load_for_user(self.file)
        assert isinstance(config, Config)
        found = compile_images(config, trees.read)
        bench.recipe, bench.policy = found.recipes["debian"], found.policies["debian"]
        bench.others.commit([Create(path=paths.INSTALLATION, data=b"inst")])
        bench.session.ends["packages"] = ran(output=LISTED)
        bench.session.ends["release"] = ran(output=SYSTEM)
        bench.session.copy_tree = lambda *_, **__: None  # type: ignore[attr-defined]
        bench.put_build(
            place=bench.images.location().place,
            group=(PROVIDER, COPIER),
            fingerprint=bench.policy.fingerprint,
            **build,
        )
        there = self.far.location().place
        ended = make(bench, also=(there,), signing_key_file=str(self.key) if signed else None)
        assert ended.why is None
        self._carry(there)
        return self

    def _carry(self, place: str) -> None:
        bench = self.bench
        source = self.upload(bench.images.location().place)
        wanted = self.upload(place)
        after = replace(
            wanted.value,
            state=UploadState.MAKING,
            method=Method.CARRY,
            owner=ME,
            source=source.value.id.place,
        )
        bench.others.commit(
            [Set(path=wanted.path, data=encode_upload(after), version=wanted.version)]
        )
        hand = CopyingHand(
            store=bench.store,
            clock=bench.clock,
            installation="inst",
            folder=self.folder / "carried",
            new_token=lambda: "token",
        )
        ended = hand.copy(
            CopyBetweenSites(
                upload=self.upload(place),
                source=source,
                here=Site(provider=COPIER, images=self.far),
                there=Site(provider=PROVIDER, images=bench.images),
                statement=bench.build().value.statement,
            )
        )
        assert ended.why is None

    def upload(self, place: str) -> Stored[Upload]:
        """Return an upload on record."""
        one = UploadId(BUILD, place)
        stored = self.bench.others.read(paths.upload(one))
        assert stored is not None
        value = decode_upload(one, stored.value)
        return Stored(path=stored.path, value=value, version=stored.version)

    # Commands.

    @contextmanager
    def _open(self, _config: Config, provider: str) -> Iterator[ImageStore]:
        if provider in self.away:
            raise TryLaterError("fake: \x1b[2Jlater")
        yield self.images[provider]

    def call(self, command: click.Command, *words: str, config: bool = True) -> Result:
        """Run a command as from a shell."""
        context = CommandContext(
            config=self.file if config else None,
            zookeeper="fake:2181",
            connect=lambda _options: self.bench.zookeeper.connect(),
            open_images=self._open,
        )
        return CliRunner().invoke(command, list(words), obj=context)

    def findings(self, *words: str, code: int = 0, config: bool = True) -> set[tuple[str, ...]]:
        """Return what `verify` finds: of what, where and with what result."""
        result = self.call(verify, str(BUILD), "--json", *words, config=config)
        assert result.exit_code == code, result.output
        doc = json.loads(result.stdout)
        assert doc["verified"] is {0: True, 1: False, 2: None}[code]
        return {(one["of"], one["where"] or "", one["result"]) for one in doc["compared"]}

    def wrong(self, *words: str) -> set[str]:
        """Return of what something differs, which must be so."""
        found = self.findings(*words, code=1)
        return {of for of, _, result in found if result in {"differs", "away"}}

    # What changes.

    def change(self, path: str, change: Callable[[bytes], bytes]) -> Callable[[], None]:
        """Change a record; return what undoes that."""
        store = self.bench.others
        stored = store.read(path)
        assert stored is not None
        store.commit([Set(path=path, data=change(stored.value), version=stored.version)])
        return lambda: store.commit([Set(path=path, data=stored.value, version=-1)]) and None

    def properties(self, provider: str, **pairs: str) -> None:
        """Change properties of the image in a cloud, as somebody could."""
        images = self.images[provider]
        assert isinstance(images, FakeImages)
        (kept,) = images.glance.kept.values()
        kept.image = replace(kept.image, properties={**kept.image.properties, **pairs})

    def image(self, provider: str, **changes: Any) -> None:
        """Change the image in a cloud itself."""
        images = self.images[provider]
        assert isinstance(images, FakeImages)
        (kept,) = images.glance.kept.values()
        kept.image = replace(kept.image, **changes)
