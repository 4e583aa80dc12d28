"""Serves the model with NVIDIA's Triton, through PyTriton: batches up to 32 rows.

    python triton.py MODEL.onnx PORT

Two instances with a one-thread session each.
"""

import sys

import numpy as np
import onnxruntime as ort
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def open_session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Instance:
    def __init__(self, path):
        self.session = open_session(path)

    @batch
    def __call__(self, blocks):
        return self.session.run(["x"], {"blocks": blocks})


def main():
    path, port = sys.argv[1:]
    config = TritonConfig(
        http_port=int(port) + 1, grpc_port=int(port), metrics_port=int(port) + 2, log_verbose=0
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="lstm",
            infer_func=[Instance(path), Instance(path)],
            inputs=[Tensor(name="blocks", dtype=np.float32, shape=(60, 4, 1))],
            outputs=[Tensor(name="x", dtype=np.float32, shape=(1, 1))],
            config=ModelConfig(max_batch_size=32, batcher=DynamicBatcher()),
        )
        triton.serve()


if __name__ == "__main__":
    main()
