"""Every method of every service of ours, with requests that are answered."""

from dataclasses import dataclass

import numpy as np
from google.protobuf.message import Message
from parcels import alerts_parcel, forecasts_parcel, rows_parcel
from tiny import wearing_block
from tiny_plant import FORECAST, MINUTE_US, MONDAY_US, OUTLIER
from tiny_slow import window_of
from wire import block_message

from wearcast.clients.edge.carriers.messages import encode_parcel
from wearcast.inference import open_inference_pb2 as inference
from wearcast.signals.series import Block
from wearcast.v1 import alert_pb2, ingest_pb2, machine_health_pb2, samples_pb2

HEALTH = machine_health_pb2.DESCRIPTOR.services_by_name["MachineHealthService"]
INGEST = ingest_pb2.DESCRIPTOR.services_by_name["IngestService"]
OPEN = inference.DESCRIPTOR.services_by_name["GRPCInferenceService"]
BLOCKS = [wearing_block(number, 9) for number in range(6)]
_BATCHES = [
    samples_pb2.BlockBatch(blocks=[block_message(block) for block in part])
    for part in (BLOCKS[:4], BLOCKS[4:])
]


@dataclass(frozen=True)
class Method:
    """calls: the messages of some calls, one message each where the method is no stream."""

    path: str
    is_stream: bool
    calls: tuple[tuple[Message, ...], ...]


def infer_request(value: float = 0.5) -> inference.ModelInferRequest:
    request = inference.ModelInferRequest(model_name="tiny", id="7")
    request.inputs.add(name="blocks", datatype="FP32", shape=[1, 3, 2, 64])
    request.raw_input_contents.append(window_of(value).tobytes())
    return request


def _typed_request() -> inference.ModelInferRequest:
    request = inference.ModelInferRequest(model_name="tiny-forecast", model_version="1")
    request.parameters["timeout"].int64_param = 120_000_000
    for name, shape, count in (("blocks", [2, 3, 2, 1], 12), ("minute_of_week", [2], 2)):
        tensor = request.inputs.add(name=name, datatype="FP32", shape=shape)
        tensor.contents.fp32_contents.extend([2.5] * count)
    request.outputs.add(name="flow")
    return request


def _monitor(asset: str) -> tuple[Message, ...]:
    request = machine_health_pb2.MonitorRequest
    start = machine_health_pb2.MonitorStart(asset=asset, model="tiny", version=1)
    return (request(start=start), *(request(blocks=blocks) for blocks in _BATCHES))


def _monitor_plant(asset: str) -> tuple[Message, ...]:
    """Two models, with alarms."""
    start = machine_health_pb2.MonitorStart(asset=asset, model=OUTLIER.name, version=1)
    start.alarms.from_stage = 3
    rules = alert_pb2.AlarmRules(on_delay_s=60)
    start.alarms_by_tag.add(detector="system", channel="flow", rules=rules)
    start.further_models.add(model=FORECAST.name)
    rows = np.random.RandomState(1).uniform(1, 9, (6, 2, 1)).astype(np.float32)
    batch = samples_pb2.BlockBatch(
        blocks=[
            block_message(Block(number, MONDAY_US + number * MINUTE_US, 1 / 60, values))
            for number, values in enumerate(rows)
        ]
    )
    request = machine_health_pb2.MonitorRequest
    return request(start=start), request(blocks=batch)


def _predict() -> tuple[Message, ...]:
    start = machine_health_pb2.PredictStart(model="tiny", age_at_start_s=60)
    request = machine_health_pb2.PredictRequest
    return (request(start=start), *(request(blocks=blocks) for blocks in _BATCHES))


# Loaded and unloaded without end, so it is no model that others ask.
SPARE = "spare"
_MADE = {
    "Monitor": [_monitor("pump"), _monitor_plant("plant")],
    "Predict": [_predict()],
    "GetModel": [(machine_health_pb2.GetModelRequest(name="tiny", version=1),)],
    "Ingest": [
        (encode_parcel(make),) for make in (rows_parcel(0), forecasts_parcel(), alerts_parcel())
    ],
    "ModelInfer": [(infer_request(),), (_typed_request(),)],
    "ModelStreamInfer": [(infer_request(), _typed_request(), infer_request(0.25))],
    "ModelReady": [(inference.ModelReadyRequest(name="tiny", version="1"),)],
    "ModelMetadata": [(inference.ModelMetadataRequest(name="tiny", version="1"),)],
    "ModelConfig": [(inference.ModelConfigRequest(name="tiny", version="1"),)],
    "ModelStatistics": [(inference.ModelStatisticsRequest(name="tiny", version="1"),)],
    "RepositoryIndex": [(inference.RepositoryIndexRequest(ready=True),)],
    "RepositoryModelLoad": [(inference.RepositoryModelLoadRequest(model_name=SPARE),)],
    "RepositoryModelUnload": [(inference.RepositoryModelUnloadRequest(model_name=SPARE),)],
}


def list_methods() -> list[Method]:
    """All of them; one that has no request here takes an empty one."""
    return [
        Method(
            path=f"/{service.full_name}/{method.name}",
            is_stream=method.client_streaming,
            calls=tuple(_MADE.get(method.name, [(method.input_type._concrete_class(),)])),  # noqa: SLF001
        )
        for service in (HEALTH, INGEST, OPEN)
        for method in service.methods
    ]
