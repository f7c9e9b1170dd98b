"""Which word a failure gets in metrics and records, and what it says of the next machine."""

from remuda.cloud.api import (
    BadOrderError,
    CloudConfigError,
    CloudError,
    NoRoomError,
    UnauthorizedError,
)
from remuda.metrics.results import Result
from remuda.ssh.api import Proof, ProofStep


def result_of(error: CloudError) -> Result:
    """Return the word for a failed create call, as in metrics."""
    return Result.QUOTA if isinstance(error, NoRoomError) else Result.ORDER


def failed_step(proof: Proof) -> Result:
    """Return the word for a proof that failed."""
    failed = next((one.step for one in proof.steps if not one.ok), ProofStep.CONNECT)
    words = {ProofStep.CONNECT: Result.NETWORK, ProofStep.HOST_KEY: Result.KEYSCAN}
    return words.get(failed, Result.SSH)


def says_something(result: Result | None) -> bool:
    """Whether a failure tells that the next machine of its kind would fail, too.

    Only room comes and goes by itself. An order that the cloud refused is refused again, whatever
    in it is wrong: key pair, network, security group, metadata. If it was the image or the flavor,
    the next survey finds another one, and what is made begins anew.
    """
    return result is not None and result is not Result.QUOTA


def address_result(error: CloudError) -> Result:
    """Return the word for a floating IP that was refused, as in metrics."""
    if isinstance(error, NoRoomError | BadOrderError | UnauthorizedError | CloudConfigError):
        return result_of(error)
    return Result.NETWORK
