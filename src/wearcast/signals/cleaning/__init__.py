"""Files of a plant, from whatever stands in them to rows at even steps of time.

In the order of the data: `plant_file` reads, with `plant_csv`, `plant_parquet`, `arrow_columns`,
and for times `time_texts`, `time_forms` and `time_zones`, into a `raw_table`; `clean` brings it to
even steps, with `time_grid`, `merging`, `gaps` and a `report`; `plant_writing` writes.
"""

from wearcast.signals.cleaning.clean import Cleaned, clean, fit_bounds, load_rows

__all__ = ["Cleaned", "clean", "fit_bounds", "load_rows"]
