"""Parquet -> Arrow, as a program of its own: a damaged file can make the library end its process.

    python unpack.py SOURCE TARGET MOST_ROWS MOST_COLUMNS MOST_BYTES

Exit codes: 0 done, WRONG or TOO_LARGE with the reason on standard error; anything else is a crash.
"""

import resource
import sys
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

WRONG: Final = 3
TOO_LARGE: Final = 4

_MEMORY: Final = 4 << 30
_CPU_SECONDS: Final = 60


class UnpackError(Exception):
    """The file is not accepted: an exit code and the reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def main(arguments: list[str]) -> int:
    """Unpack; return the exit code."""
    source, target, *numbers = arguments
    rows, columns, size = map(int, numbers)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    try:
        unpack(source, target, rows, columns, size)
    except UnpackError as error:
        sys.stderr.write(str(error))
        return error.code
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        sys.stderr.write(f"the Parquet file cannot be read: {error}")
        return WRONG
    return 0


def unpack(source: str, target: str, rows: int, columns: int, size: int) -> None:
    """Write the table to `target`. Texts stay dictionaries, so that repetition takes no room.

    Raises UnpackError for more rows or columns than allowed, or more than `size` bytes when unpacked.
    """
    with pq.ParquetFile(source) as opened:
        _check(opened.metadata, rows, columns, size)
        texts = [f.name for f in opened.schema_arrow if is_text(f.type)]
    with pq.ParquetFile(source, read_dictionary=texts) as opened:
        table = opened.read(use_threads=False)
    table.validate(full=True)
    _check_size(sum(_text_size(column) for column in table.columns), size)
    with pa.ipc.new_file(target, table.schema) as writer:
        writer.write_table(table.unify_dictionaries())


def is_text(kind: pa.DataType) -> bool:
    """True for strings, whatever their offsets."""
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _check(metadata: pq.FileMetaData, rows: int, columns: int, size: int) -> None:
    """Refuse what would grow beyond measure before it is unpacked."""
    if metadata.num_rows > rows:
        told = f"the table has {metadata.num_rows} rows; this service accepts {rows} rows (uploadLimit)"
        raise UnpackError(TOO_LARGE, told)
    if not 0 < metadata.num_columns <= columns:
        raise UnpackError(WRONG, f"the table has {metadata.num_columns} columns; 1 to {columns} are accepted")
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    chunks = [g.column(i) for g in groups for i in range(g.num_columns)]
    _check_size(sum(max(c.total_uncompressed_size, 8 * c.num_values) for c in chunks), size)


def _text_size(column: pa.ChunkedArray) -> int:
    """At most so many characters are in a column of dictionaries."""
    total = 0
    for chunk in column.chunks:
        if types.is_dictionary(chunk.type):
            total += max((len(str(v)) for v in chunk.dictionary.to_pylist()), default=0) * len(chunk)
    return total


def _check_size(found: int, size: int) -> None:
    if found > size:
        told = f"the table has {found} bytes when unpacked; this service accepts {size}"
        raise UnpackError(TOO_LARGE, told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
