"""Answers of the engine as messages of the protocol."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wearcast.inference import open_inference_pb2 as pb
from wearcast.serving.counts import Statistics, Took
from wearcast.serving.engine import Entry, ModelKey
from wearcast.serving.open_inference.tensors import DATATYPE, encode_tensor
from wearcast.signals.contract import Output


def encode_answer(
    key: ModelKey,
    identity: str,
    outputs: Sequence[Output],
    values: Mapping[str, NDArray[np.float32]],
) -> pb.ModelInferResponse:
    """An answer: the outputs that are wanted, in their order; `identity` is the request's id."""
    return pb.ModelInferResponse(
        model_name=key[0],
        model_version=str(key[1]),
        id=identity,
        outputs=[
            {"name": output.name, "datatype": DATATYPE, "shape": values[output.name].shape}
            for output in outputs
        ],
        raw_output_contents=[encode_tensor(values[output.name]) for output in outputs],
    )


def encode_statistics(key: ModelKey, counts: Statistics) -> pb.ModelStatistics:
    """What a model has done."""
    return pb.ModelStatistics(
        name=key[0],
        version=str(key[1]),
        last_inference=counts.last_ms,
        inference_count=counts.rows,
        execution_count=counts.runs,
        inference_stats=pb.InferStatistics(
            success=_encode_took(counts.success),
            fail=_encode_took(counts.fail),
            queue=_encode_took(counts.queue),
            compute_input=_encode_took(counts.compute_input),
            compute_infer=_encode_took(counts.compute_infer),
            compute_output=_encode_took(counts.compute_output),
        ),
        batch_stats=[
            pb.InferBatchStatistics(batch_size=size, compute_infer=_encode_took(took))
            for size, took in sorted(counts.batches.items())
        ],
    )


def encode_entry(entry: Entry) -> pb.RepositoryIndexResponse.ModelIndex:
    """One version of a model that is or was there."""
    return pb.RepositoryIndexResponse.ModelIndex(
        name=entry.name, version=str(entry.version), state=entry.state, reason=entry.reason
    )


def _encode_took(took: Took) -> pb.StatisticDuration:
    return pb.StatisticDuration(count=took.count, ns=took.ns)
