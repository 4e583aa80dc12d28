"""The methods of GRPCInferenceService: decode, call, encode."""

from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from wearcast.inference import open_inference_pb2 as pb
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceServicer
from wearcast.serving.engine import Engine, Served
from wearcast.serving.errors import status_of
from wearcast.serving.open_inference.decode import (
    count_rows,
    decode_deadline,
    decode_model,
    decode_request,
)
from wearcast.serving.open_inference.describe import describe_config, describe_model
from wearcast.serving.open_inference.encode import encode_answer, encode_entry, encode_statistics
from wearcast.serving.open_inference.streams import Streams
from wearcast.signals.errors import InputError, NotFoundError

_EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "statistics")


class OpenInferenceServicer(GRPCInferenceServiceServicer):  # type: ignore[misc]  # generated, untyped
    """Answers clients of the Open Inference Protocol."""

    def __init__(self, engine: Engine, *, max_message_bytes: int) -> None:
        self._engine = engine
        self._max_message_bytes = max_message_bytes
        self.streams = Streams()

    async def ServerLive(  # noqa: N802
        self,
        request: pb.ServerLiveRequest,  # noqa: ARG002
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.ServerLiveResponse:
        """Yes."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(  # noqa: N802
        self,
        request: pb.ServerReadyRequest,  # noqa: ARG002
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.ServerReadyResponse:
        """Whether a model can be asked."""
        return pb.ServerReadyResponse(ready=bool(self._engine.served()))

    async def ModelReady(  # noqa: N802
        self,
        request: pb.ModelReadyRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.ModelReadyResponse:
        """Whether one model can be asked."""
        try:
            self._find(request.name, request.version)
        except NotFoundError:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    async def ServerMetadata(  # noqa: N802
        self,
        request: pb.ServerMetadataRequest,  # noqa: ARG002
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.ServerMetadataResponse:
        """Name, version and extensions."""
        return pb.ServerMetadataResponse(
            name="wearcast", version=version("wearcast"), extensions=_EXTENSIONS
        )

    async def ModelMetadata(  # noqa: N802
        self,
        request: pb.ModelMetadataRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.ModelMetadataResponse:
        """What a model takes and gives."""
        model = self._find(request.name, request.version)
        versions = [item.key[1] for item in self._engine.served() if item.key[0] == request.name]
        return describe_model(model, versions)

    async def ModelInfer(  # noqa: N802
        self,
        request: pb.ModelInferRequest,
        context: Any,  # noqa: ANN401
    ) -> pb.ModelInferResponse:
        """Answer windows."""
        return await self._infer(request, context.time_remaining())

    async def ModelStreamInfer(  # noqa: N802
        self,
        requests: AsyncIterator[pb.ModelInferRequest],
        context: Any,  # noqa: ANN401
    ) -> None:
        """Answer windows, request after request."""

        async def answer(request: pb.ModelInferRequest) -> pb.ModelStreamInferResponse:
            try:
                response = await self._infer(request, context.time_remaining())
            except Exception as error:  # noqa: BLE001  # whatever it is, the stream goes on
                return pb.ModelStreamInferResponse(
                    error_message=status_of(error).message,
                    infer_response=pb.ModelInferResponse(id=request.id),
                )
            response.parameters["triton_final_response"].bool_param = True
            return pb.ModelStreamInferResponse(infer_response=response)

        await self.streams.serve(requests, count_rows, answer, context.write)

    async def ModelConfig(  # noqa: N802
        self,
        request: pb.ModelConfigRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.ModelConfigResponse:
        """How a model is run."""
        model = self._find(request.name, request.version)
        policy = self._engine.statistics(model.key).policy
        return pb.ModelConfigResponse(config=describe_config(model, policy))

    async def ModelStatistics(  # noqa: N802
        self,
        request: pb.ModelStatisticsRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.ModelStatisticsResponse:
        """What one version, all versions of a model, or all models have done."""
        if request.version:
            models = [self._find(request.name, request.version)]
        elif request.name:
            self._find(request.name, "")
            models = [item for item in self._engine.served() if item.key[0] == request.name]
        else:
            models = self._engine.served()
        return pb.ModelStatisticsResponse(
            model_stats=[
                encode_statistics(item.key, self._engine.statistics(item.key)) for item in models
            ]
        )

    async def RepositoryIndex(  # noqa: N802
        self,
        request: pb.RepositoryIndexRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.RepositoryIndexResponse:
        """Every version that is or was there."""
        _check_repository(request.repository_name)
        return pb.RepositoryIndexResponse(
            models=[
                encode_entry(entry)
                for entry in self._engine.index()
                if entry.state == "READY" or not request.ready
            ]
        )

    async def RepositoryModelLoad(  # noqa: N802
        self,
        request: pb.RepositoryModelLoadRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.RepositoryModelLoadResponse:
        """Load a model of the server's folder."""
        _check_repository(request.repository_name)
        if request.parameters:
            expected = "none: models come from the server's folder as they are"
            got = repr(min(request.parameters)[:40])
            raise InputError("parameters", expected, got, reason="PARAMETER")
        name, _, _ = decode_model(request.model_name, "")
        await self._engine.load(name)
        return pb.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(  # noqa: N802
        self,
        request: pb.RepositoryModelUnloadRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.RepositoryModelUnloadResponse:
        """Take all versions of a model out of service."""
        _check_repository(request.repository_name)
        name, _, _ = decode_model(request.model_name, "")
        await self._engine.unload(name)
        return pb.RepositoryModelUnloadResponse()

    async def _infer(
        self, request: pb.ModelInferRequest, remaining_s: float | None
    ) -> pb.ModelInferResponse:
        self._check_size(request)
        deadline_s = decode_deadline(request, remaining_s)
        model = self._find(request.model_name, request.model_version)
        asked = decode_request(request, model.contract)
        answer = await self._engine.run(
            model.key, asked.values, asked.minutes, deadline_s=deadline_s
        )
        return encode_answer(model.key, request.id, asked.outputs, answer)

    def _find(self, name: str, version: str) -> Served:
        return self._engine.find(*decode_model(name, version))

    def _check_size(self, request: pb.ModelInferRequest) -> None:
        size = request.ByteSize()
        if size > self._max_message_bytes:
            raise InputError(
                "message",
                f"at most {self._max_message_bytes} bytes",
                f"{size} bytes",
                reason="OVERSIZED",
                status="RESOURCE_EXHAUSTED",
            )


def _check_repository(name: str) -> None:
    if name:
        expected = "none: the server has one folder"
        raise InputError("repository_name", expected, repr(name[:40]), reason="REPOSITORY")
