"""Serves the model with MLServer: adaptive batching up to 32 rows.

    python mlserver_start.py MODEL.onnx PORT

Its gRPC server and its batcher in one process, the model in a one-thread session on threads of it.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from mlserver.cli.serve import load_settings
from mlserver.server import MLServer


async def main():
    path, port = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            "host": "127.0.0.1",
            "grpc_port": int(port),
            "http_port": int(port) + 1,
            "metrics_port": int(port) + 2,
            "parallel_workers": 0,
            "debug": False,
        }
        model = {
            "name": "lstm",
            "implementation": "mlserver_runtime.Lstm",
            "max_batch_size": 32,
            "max_batch_time": 0.001,
            "parameters": {"uri": path},
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "model-settings.json").write_text(json.dumps(model))
        sys.path.insert(0, str(Path(__file__).parent))
        loaded, models = await load_settings(str(folder))
        server = MLServer(loaded)
        await server.start(models)


if __name__ == "__main__":
    asyncio.run(main())
