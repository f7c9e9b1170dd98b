"""What the written records of builds are told by."""

from builder.build.actions import BeginBuild
from builder.contexts import ResultContext


def begun(context: ResultContext, action: BeginBuild) -> None:
    """Say that a build was begun."""
    context.log.info("build.begun", build=str(action.id), why=str(action.why))
