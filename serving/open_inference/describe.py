"""What a model takes and gives, in the protocol's two ways to say it."""

from collections.abc import Iterable

from wearcast.inference import model_config_pb2 as config_pb
from wearcast.inference import open_inference_pb2 as pb
from wearcast.serving.engine import Served
from wearcast.serving.open_inference.decode import list_inputs
from wearcast.serving.open_inference.tensors import DATATYPE, ROWS

# Triton's names for ONNX models.
_PLATFORM = "onnxruntime_onnx"
_BACKEND = "onnxruntime"


def describe_model(model: Served, versions: Iterable[int]) -> pb.ModelMetadataResponse:
    """Metadata of a model; `versions` are those that are ready."""
    outputs = {output.name: [ROWS, *output.shape] for output in model.contract.outputs}
    return pb.ModelMetadataResponse(
        name=model.key[0],
        versions=[str(version) for version in sorted(versions)],
        platform=_PLATFORM,
        inputs=_describe_tensors(list_inputs(model.contract)),
        outputs=_describe_tensors(outputs),
    )


def describe_config(model: Served, policy: str) -> config_pb.ModelConfig:
    """Configuration of a model; `policy` says how rows that wait are put together."""
    contract = model.contract
    sizes = sorted(contract.batch_sizes)
    texts = {
        "contract": model.contract_json,
        "batch_sizes": ",".join(str(size) for size in sizes),
        "policy": policy,
    }
    return config_pb.ModelConfig(
        name=model.key[0],
        platform=_PLATFORM,
        backend=_BACKEND,
        version_policy=config_pb.ModelVersionPolicy(all=config_pb.ModelVersionPolicy.All()),
        max_batch_size=sizes[-1],
        input=[
            config_pb.ModelInput(name=name, data_type=config_pb.TYPE_FP32, dims=shape[1:])
            for name, shape in list_inputs(contract).items()
        ],
        output=[
            config_pb.ModelOutput(
                name=output.name, data_type=config_pb.TYPE_FP32, dims=output.shape
            )
            for output in contract.outputs
        ],
        parameters={
            name: config_pb.ModelParameter(string_value=text) for name, text in texts.items()
        },
    )


def _describe_tensors(
    shapes: dict[str, list[int]],
) -> list[pb.ModelMetadataResponse.TensorMetadata]:
    return [
        pb.ModelMetadataResponse.TensorMetadata(name=name, datatype=DATATYPE, shape=shape)
        for name, shape in shapes.items()
    ]
