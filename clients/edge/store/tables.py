"""The table of the plant: what both kinds, `SqliteTable` and `CsvTable`, do."""

from collections.abc import Sequence
from typing import Protocol

from wearcast.signals.errors import InputError
from wearcast.signals.plant_table import Columns, PlantRow


class Table(Protocol):
    """Rows by time; a row that is written again replaces the one of its time.

    columns: of the rows that are written and read. What a file has besides, from other columns of
    before, stays in it.
    """

    columns: Columns

    def write(self, rows: Sequence[PlantRow]) -> None:
        """Keep rows, from 1970 on.

        Raises:
            StoreError: they can't be written now.
        """

    def read(self, first_us: int, end_us: int) -> list[PlantRow]:
        """Rows from first to before end, times rising.

        Raises:
            StoreError: they can't be read now.
        """

    def purge(self, before_us: int) -> int:
        """Delete rows before a time; gives how many.

        Raises:
            StoreError: they can't be deleted now.
        """

    def newest_us(self) -> int | None:
        """Time of the newest row.

        Raises:
            StoreError: it can't be read now.
        """

    def size_bytes(self) -> int:
        """Bytes on disk that are this table's alone."""

    def close(self) -> None:
        """Close its files."""


def check_names(columns: Columns) -> None:
    """Refuse columns of which two have the same name, capitals or not.

    Raises:
        InputError: two have.
    """
    taken = {"time_us"}  # `SqliteTable` has it
    for name in columns.names:
        if name.lower() in taken:
            raise InputError("columns", "names that differ, capitals aside", repr(name))
        taken.add(name.lower())
