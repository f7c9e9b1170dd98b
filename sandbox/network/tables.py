"""Neutron's resources as rows of tables: plain documents, as the API shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.web.errors import ApiError

Row = dict[str, Any]


@dataclass(slots=True)
class Table:
    """All resources of one kind in one region, by id, oldest first.

    Attributes:
        missing: Neutron's exception class and sentence for an unknown id.
    """

    singular: str
    plural: str
    missing: tuple[str, str]
    rows: dict[str, Row] = field(default_factory=dict)

    def get(self, row_id: str) -> Row:
        """Return a row.

        Raises:
            ApiError: 404, if there is none with that id.
        """
        row = self.rows.get(row_id)
        if row is None:
            raise self.not_found(row_id)
        return row

    def not_found(self, row_id: str) -> ApiError:
        """Return the refusal for an id that is unknown, or not for the caller to see."""
        kind, sentence = self.missing
        return ApiError(404, sentence.format(row_id), kind=kind)

    def add(self, row: Row) -> Row:
        """Add a row under its ``id``."""
        self.rows[row["id"]] = row
        return row

    def of_project(self, project_id: str) -> Iterator[Row]:
        """Yield the rows a project owns."""
        return (row for row in self.rows.values() if row.get("project_id") == project_id)
