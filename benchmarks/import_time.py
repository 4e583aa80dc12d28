"""Times `import wearcast.clients` in fresh interpreters, beside its heaviest parts alone.

    python benchmarks/import_time.py --runs 15

The two take turns, so that whatever else the machine does falls on both alike. Each is timed inside
its interpreter, without the interpreter's own start.
"""

import argparse
import statistics
import subprocess
import sys

IMPORTS = ("wearcast.clients", "numpy, grpc")


def time_import(names: str) -> float:
    """Seconds that importing takes in a fresh interpreter."""
    code = (
        "from time import perf_counter; began = perf_counter();"
        f" import {names}; print(perf_counter() - began)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print the median of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    for names in IMPORTS:
        time_import(names)  # writes byte code and warms the disk cache
    times = {names: [] for names in IMPORTS}
    for _ in range(runs):
        for names, seconds in times.items():
            seconds.append(time_import(names))
    for names, seconds in times.items():
        median, slowest = statistics.median(seconds), max(seconds)
        print(f"import {names}: median {median:.3f} s, slowest {slowest:.3f} s of {runs}")


if __name__ == "__main__":
    main()
