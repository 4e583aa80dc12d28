"""`python -m wearcast`: the program `wearcast`."""

import os

# Read when gRPC is imported. Its own lines about a failed connection say less than our one line.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from wearcast.clients.cli.main import main

if __name__ == "__main__":
    main()
