"""Where the edge service keeps everything: `opening` opens an `edge_store`, with its `outbox`.

Below it: `database` is one SQLite file, with its `schema`, and `salvage` of a damaged one; `tables`
says what a plant's table does, `sqlite_table` and `csv_table` (with `csv_day`) do it; `table_files`
exports it, `bench` measures them.
"""
