"""The four methods of MachineHealthService: decode, call, encode."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from wearcast.serving.answers import Answered, answer_blocks, reading
from wearcast.serving.decode import check_asset, received_sequence
from wearcast.serving.encode import encode_estimate, encode_model
from wearcast.serving.inbox import Inbox
from wearcast.serving.live import DrainingError, LiveStreams
from wearcast.serving.models import choose_version
from wearcast.serving.notices import Notices
from wearcast.serving.pool import ModelKey, Pool
from wearcast.serving.session import Session
from wearcast.serving.store import SeriesKey, Store
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Series, check_age
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1 import samples_pb2
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceServicer


class Servicer(MachineHealthServiceServicer):  # type: ignore[misc]  # generated, untyped
    """Answers clients; `live` holds the open Monitor streams."""

    def __init__(
        self,
        models: dict[ModelKey, Session],
        pool: Pool,
        store: Store,
        *,
        max_message_bytes: int,
    ) -> None:
        self._models = models
        self._pool = pool
        self._store = store
        self._max_message_bytes = max_message_bytes
        self.live = LiveStreams()

    async def ListModels(  # noqa: N802
        self,
        request: pb.ListModelsRequest,  # noqa: ARG002
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.ListModelsResponse:
        """Every version of every model."""
        models = [encode_model(item.contract, item.contract_json) for item in self._models.values()]
        return pb.ListModelsResponse(models=models)

    async def GetModel(  # noqa: N802
        self,
        request: pb.GetModelRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.GetModelResponse:
        """One model's contract."""
        session = self._models[choose_version(self._models, request.name, request.version)]
        return pb.GetModelResponse(model=encode_model(session.contract, session.contract_json))

    async def Predict(  # noqa: N802
        self,
        requests: AsyncIterator[pb.PredictRequest],
        context: Any,  # noqa: ANN401
    ) -> None:
        """Score a recording; nothing is stored."""
        start = await self._first(requests)
        model = choose_version(self._models, start.model, start.version)
        contract = self._models[model].contract
        series = Series(contract, age_at_start_s=start.age_at_start_s)
        inbox = Inbox(max(contract.batch_sizes))
        async with reading(requests, self._pick_blocks, contract, inbox):
            async for _, estimates in answer_blocks(inbox, series, self._pool, model):
                if estimates:
                    await context.write(pb.PredictResponse(estimates=_encode(estimates)))

    async def Monitor(  # noqa: N802
        self,
        requests: AsyncIterator[pb.MonitorRequest],
        context: Any,  # noqa: ANN401
    ) -> None:
        """Follow one asset live; what it answers is stored first."""
        start = await self._first(requests)
        asset = check_asset(start.asset)
        received = received_sequence(start)
        age_at_start_s = check_age(start.age_at_start_s)
        model = choose_version(self._models, start.model, start.version)
        key = SeriesKey(asset, *model)
        contract = self._models[model].contract
        inbox = Inbox(max(contract.batch_sizes))
        async with self.live.claim(key, inbox):
            age_at_start_s = await self._store.remember_age(key, age_at_start_s)
            series = Series(contract, age_at_start_s=age_at_start_s)
            line_points = contract.rul.line_points if contract.rul else 1
            stored = await self._store.last(key, line_points)
            series.resume(stored)
            acknowledged = stored[-1].sequence if stored else None
            await context.write(
                pb.MonitorResponse(
                    started=pb.MonitorStarted(
                        version=key.version,
                        next_sequence=series.next_sequence,
                        acknowledged_sequence=acknowledged,
                    )
                )
            )
            notices = Notices(contract.sequence, await self._store.up_to(key, received))
            async for missed in self._store.after(key, received):
                await _tell(context, notices.about_stored(missed), missed)
            async with reading(requests, self._pick_blocks, contract, inbox):
                try:
                    async for answered in answer_blocks(inbox, series, self._pool, model):
                        await self._deliver(key, answered, notices, context)
                except DrainingError as error:
                    notice = pb.Notice(
                        code=pb.NOTICE_CODE_DRAINING,
                        sequence=series.next_sequence,
                        text=str(error),
                    )
                    await context.write(pb.MonitorResponse(notice=notice))
                    raise

    async def _first(self, requests: AsyncIterator[Any]) -> Any:  # noqa: ANN401
        """The stream's first message, which must be `start`."""
        async for request in requests:
            self._check_size(request)
            got = request.WhichOneof("request")
            if got != "start":
                raise InputError("first message", "start", got or "nothing", reason="START")
            return request.start
        raise InputError("first message", "start", "the end of the stream", reason="START")

    def _pick_blocks(
        self, request: pb.MonitorRequest | pb.PredictRequest
    ) -> samples_pb2.BlockBatch:
        """The blocks of a later message."""
        self._check_size(request)
        got = request.WhichOneof("request")
        if got != "blocks":
            raise InputError("message", "blocks", got or "nothing", reason="BLOCKS")
        return request.blocks

    def _check_size(self, request: pb.MonitorRequest | pb.PredictRequest) -> None:
        # gRPC itself refuses only what is far larger, for it can't say which field is at fault.
        size = request.ByteSize()
        if size > self._max_message_bytes:
            raise InputError(
                "message",
                f"at most {self._max_message_bytes} bytes",
                f"{size} bytes",
                reason="OVERSIZED",
                status="RESOURCE_EXHAUSTED",
            )

    async def _deliver(
        self,
        key: SeriesKey,
        answered: Answered,
        notices: Notices,
        context: Any,  # noqa: ANN401
    ) -> None:
        """Commit, then tell the client."""
        blocks, estimates = answered
        if estimates:
            await self._store.save(key, estimates)
        await _tell(context, notices.about(blocks, estimates), estimates)
        await context.write(
            pb.MonitorResponse(acknowledgement=pb.Acknowledgement(sequence=blocks[-1].sequence))
        )


async def _tell(
    context: Any,  # noqa: ANN401
    notices: Iterable[pb.Notice],
    estimates: list[Estimate],
) -> None:
    """Notices first: a client that has an estimate has what had to be said about it too."""
    for notice in notices:
        await context.write(pb.MonitorResponse(notice=notice))
    if estimates:
        await context.write(pb.MonitorResponse(estimates=_encode(estimates)))


def _encode(estimates: list[Estimate]) -> pb.EstimateBatch:
    return pb.EstimateBatch(estimates=[encode_estimate(estimate) for estimate in estimates])
