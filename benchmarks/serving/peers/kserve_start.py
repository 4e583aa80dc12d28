"""Serves the model with KServe's SDK, a request at a time: it has no batcher of its own.

    python kserve_start.py MODEL.onnx PORT

A one-thread session, run on two threads beside the event loop.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import onnxruntime as ort
from kserve import InferOutput, InferResponse, Model, ModelServer


class Lstm(Model):
    def __init__(self, path):
        super().__init__("lstm")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.threads = ThreadPoolExecutor(2)
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        blocks = payload.inputs[0].as_numpy()
        run = self.session.run
        loop = asyncio.get_running_loop()
        (said,) = await loop.run_in_executor(self.threads, run, ["x"], {"blocks": blocks})
        output = InferOutput(name="x", shape=list(said.shape), datatype="FP32")
        output.set_data_from_numpy(said, binary_data=True)
        return InferResponse(response_id=payload.id, model_name=self.name, infer_outputs=[output])


if __name__ == "__main__":
    path, port = sys.argv[1:]
    server = ModelServer(
        http_port=int(port) + 1, grpc_port=int(port), workers=1, enable_docs_url=False
    )
    server.start([Lstm(path)])
