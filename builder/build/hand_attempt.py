"""What every attempt at a build has, whatever it is made of: the record, the statement, the end.

It writes the record itself, at the version that it knows. Whoever finds the record changed by
another owner has been taken over: it cleans up, and writes and deletes nothing.
"""

import secrets as chance
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from builder.build import outcome as build_outcome
from builder.build import writes
from builder.build.hand_same import keep_as_same
from builder.build.hand_secrets import SecretError
from builder.build.hand_statement import Stating
from builder.build.outcome import Quieted
from builder.build.same import Contents
from builder.build.stating import Making
from builder.build.writes import Stated
from builder.hands import blame
from builder.hands.held_record import HeldRecord, TakenOverError
from builder.log.progress import say
from builder.machine.hand_begin import InPhases
from builder.place.sites import ARRIVAL_S, FENCE_S
from builder.policy import ImagePolicy
from builder.upload.outcome import WholeImage
from remuda.cloud.api import CloudError
from remuda.cloud.image_store import ImageStore
from remuda.model.build import Blame, Build, BuildState, Mishap
from remuda.model.tags import ImageTags, Owner
from remuda.runtime.clock import Clock
from remuda.runtime.waiting import HandStoppedError
from remuda.secret import Secret
from remuda.signing import SigningKeyError, read_signing_key
from remuda.store.api import Op, Store, Stored, StoreError
from remuda.visible import visible


class AttemptTask(Protocol):
    """What every attempt is told; see :class:`builder.build.hand_make.MakeInCloud`."""

    @property
    def policy(self) -> ImagePolicy:
        """Of the same configuration as the recipe."""

    @property
    def owner(self) -> Owner:
        """Who makes images there."""

    @property
    def images(self) -> ImageStore:
        """Where the image comes to lie."""

    @property
    def also(self) -> tuple[str, ...]:
        """In which places else it is wanted."""

    @property
    def places(self) -> Mapping[str, str]:
        """Where its providers' images lie, as far as that is known."""

    @property
    def signing_key_file(self) -> str | None:
        """Signs what is stated of the build; None: nothing is signed."""


@dataclass(slots=True, kw_only=True)
class Attempt(InPhases):
    """One build under way.

    Attributes:
        image_id: Of what there is of it in the cloud, once that is known.
    """

    store: Store
    clock: Clock
    record: HeldRecord[Build]
    image_id: str | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False)

    @property
    def order(self) -> AttemptTask:
        """What it was told."""
        raise NotImplementedError

    def _make(self) -> None:
        """Go all the way, and write that it is whole, or the same."""
        raise NotImplementedError

    def make(self) -> str | None:
        """Make it and write what came of it; return why there is no image, or None."""
        try:
            self._make()
        except TakenOverError as exc:
            say(self.log, f"given up: {exc}")
            return str(exc)
        except blame.MishapError as exc:
            return self._ended(exc.mishap)
        except SecretError as exc:
            return self._ended(blame.mishap(self.phase, exc.blame, str(exc)))
        except blame.ENDINGS as exc:
            if isinstance(exc, HandStoppedError) and self._asked():
                return str(exc)  # there may be an image all the same: whoever comes next looks
            return self._ended(blame.of_error(self.phase, exc))
        return None

    def _asked(self) -> bool:
        return self.record.value.state is BuildState.SNAPSHOTTING

    def _ended(self, mishap: Mishap) -> str:
        """Write that there is no image; only then what there is of it is nobody's."""
        why = mishap.said
        say(self.log, f"FAILED, {mishap.blame} to blame: {visible(why)}")
        try:
            self.record.write(
                lambda build: build_outcome.unmade(
                    build, mishap, self.order.policy, now_s=self.clock.now_s()
                )
            )
        except (TakenOverError, StoreError, HandStoppedError) as exc:
            return f"{why}; not written: {exc}"
        if self.image_id is not None:
            self._delete(self.image_id)
        return why

    def _delete(self, image_id: str) -> None:
        """Delete what nobody wants; what cannot be deleted now is found by its tags."""
        try:
            self.order.images.delete_image(image_id)
        except CloudError as exc:
            say(self.log, f"image {image_id} is left for the sweep: {visible(str(exc))}")

    def _stating(self) -> Stating:
        """Return what states what the build is; its key is read before anything is paid for."""
        file, key = self.order.signing_key_file, None
        if file is not None:
            try:
                key = read_signing_key(file)
            except SigningKeyError as exc:
                why = f"key file {file} {exc}"
                raise blame.fail(build_outcome.SIGNING, Blame.BUILDER, why) from exc
        return Stating(store=self.store, key=key, say=lambda text: say(self.log, text))

    def _is_same(self, contents: Contents | None) -> bool:
        """End here if all of it is booted already; say so, or why it goes on."""
        self._begin("compare")
        found = keep_as_same(
            self.store,
            self.record,
            contents,
            policy=self.order.policy,
            places=self.order.places,
            clock=self.clock,
        )
        say(self.log, found.said)
        return found.same

    def _tags(self) -> ImageTags:
        """Return the marks of the image, with a name that no other attempt has."""
        build = self.record.value
        image, number = build.id
        name = f"remuda-{image}-{number}-a{build.attempt}-{chance.token_hex(4)}"
        return ImageTags(owner=self.order.owner, image=image, build=str(number), name=name)

    def _announce(self, quieted: Quieted, stating: Stating, making: Making) -> None:
        """Write what the cloud is about to be asked for, with a draft of what it is to be."""
        drafted = stating.draft(making)

        def asks(stored: Stored[Build]) -> list[Op]:
            after = build_outcome.quieted(stored.value, quieted, now_s=self.clock.now_s())
            return [writes.write_build(stored, after), drafted]

        self.record.commit(asks)

    def _kept(
        self, stored: Stored[Build], image: WholeImage, stated: Stated | None, now_s: float
    ) -> list[Op]:
        return writes.finish(stored, image, self.order.also, stated, now_s=now_s)


def asked_by_s(last_s: float) -> float:
    """Return until when a call may reach the cloud that is begun at *last_s* at the latest."""
    return last_s + FENCE_S + ARRIVAL_S
