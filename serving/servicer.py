"""The four methods of MachineHealthService: decode, call, encode."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from wearcast.serving.alarm_messages import decode_alarms, encode_alert
from wearcast.serving.alarm_watch import AlarmWatch
from wearcast.serving.answers import Answered, answer_blocks, reading
from wearcast.serving.decode import check_asset, decode_known
from wearcast.serving.encode import encode_estimates, encode_model
from wearcast.serving.engine import Engine
from wearcast.serving.inbox import Inbox
from wearcast.serving.live import DrainingError, LiveStreams
from wearcast.serving.notices import Notices
from wearcast.serving.operations.assets import Assets
from wearcast.serving.store import SeriesKey, Store
from wearcast.signals.alerts import Alert
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate
from wearcast.signals.panel import Panel, join_contracts
from wearcast.signals.series import check_age
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1 import samples_pb2
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceServicer


class Servicer(MachineHealthServiceServicer):  # type: ignore[misc]  # generated, untyped
    """Answers clients; `live` holds the open Monitor streams, `assets` sees what they are told."""

    def __init__(
        self, engine: Engine, store: Store, assets: Assets, *, max_message_bytes: int
    ) -> None:
        self._engine = engine
        self._store = store
        self._assets = assets
        self._max_message_bytes = max_message_bytes
        self.live = LiveStreams()

    async def ListModels(  # noqa: N802
        self,
        request: pb.ListModelsRequest,  # noqa: ARG002
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.ListModelsResponse:
        """Every version of every model."""
        models = [encode_model(it) for it in self._engine.served()]
        return pb.ListModelsResponse(models=models)

    async def GetModel(  # noqa: N802
        self,
        request: pb.GetModelRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.GetModelResponse:
        """One model's contract."""
        served = self._engine.find(request.name, request.version, request.label)
        return pb.GetModelResponse(model=encode_model(served))

    async def Predict(  # noqa: N802
        self,
        requests: AsyncIterator[pb.PredictRequest],
        context: Any,  # noqa: ANN401
    ) -> None:
        """Score a recording; nothing is stored."""
        start = await self._first(requests)
        with self._engine.pin(start.model, start.version, start.label) as pin:
            panel = Panel([pin.served.contract], age_at_start_s=start.age_at_start_s)
            inbox = Inbox(max(panel.contract.batch_sizes))
            async with reading(requests, self._pick_blocks, panel.contract, inbox):
                async for _, (estimates,) in answer_blocks(inbox, panel, [pin]):
                    if estimates:
                        batch = encode_estimates(estimates, pin.served.key[1])
                        await context.write(pb.PredictResponse(estimates=batch))

    async def Monitor(  # noqa: N802
        self,
        requests: AsyncIterator[pb.MonitorRequest],
        context: Any,  # noqa: ANN401
    ) -> None:
        """Follow one asset live; what it answers is stored first."""
        start = await self._first(requests)
        asset = check_asset(start.asset)
        asked = [start, *start.further_models]
        received = [decode_known("received_sequence", item) for item in asked]
        acknowledged = decode_known("acknowledged_sequence", start)
        age_at_start_s = check_age(start.age_at_start_s)
        async with AsyncExitStack() as stack:
            pins = [
                stack.enter_context(self._engine.pin(item.model, item.version, item.label))
                for item in asked
            ]
            contracts = [pin.served.contract for pin in pins]
            join_contracts(contracts)  # before another stream has to make way
            alarms = decode_alarms(start, contracts)
            keys = [SeriesKey(asset, *pin.served.key) for pin in pins]
            inbox = Inbox(max(contracts[0].batch_sizes))
            for key in sorted(keys):  # in one order, so that two streams can't wait for each other
                await stack.enter_async_context(self.live.claim(key, inbox))
            ages_s = [await self._store.remember_age(key, age_at_start_s) for key in keys]
            panel = Panel(contracts, age_at_start_s=ages_s[0])
            stored_until = await self._resume(panel, keys, acknowledged)
            await context.write(
                pb.MonitorResponse(
                    started=pb.MonitorStarted(
                        version=keys[0].version,
                        next_sequence=panel.next_sequence,
                        acknowledged_sequence=stored_until,
                    )
                )
            )
            notices = []
            watches = []
            for key, contract, sequence in zip(keys, contracts, received, strict=True):
                told = Notices(contract, await self._store.up_to(key, sequence))
                watch: AlarmWatch | None = None
                if alarms is not None and contract.outlier is not None:
                    watch = await AlarmWatch.open(self._store, key, alarms, contract.hop_s)
                last = sequence
                async for missed in self._store.after(key, sequence):
                    alerts = await watch.missed(last, missed) if watch else []
                    about = told.about_stored(missed)
                    for response in _tell(about, alerts, missed, key.version):
                        await context.write(response)
                    last = missed[-1].sequence
                notices.append(told)
                watches.append(watch)
            async with reading(requests, self._pick_blocks, panel.contract, inbox):
                try:
                    async for answered in answer_blocks(inbox, panel, pins):
                        await self._deliver(keys, answered, notices, watches, context)
                except DrainingError as error:
                    notice = pb.Notice(
                        code=pb.NOTICE_CODE_DRAINING,
                        sequence=panel.next_sequence,
                        text=str(error),
                    )
                    await context.write(pb.MonitorResponse(notice=notice))
                    raise

    async def _resume(
        self, panel: Panel, keys: Sequence[SeriesKey], acknowledged: int
    ) -> int | None:
        """Go on after what is stored; gives the last block that all models are done with."""
        done = []
        for key, series in zip(keys, panel.series, strict=True):
            stored = await self._store.last(key, series.memory)
            series.resume(stored, acknowledged)
            done.append(max(stored[-1].sequence if stored else -1, acknowledged))
        return min(done) if min(done) >= 0 else None

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
        keys: Sequence[SeriesKey],
        answered: Answered,
        notices: Sequence[Notices],
        watches: Sequence[AlarmWatch | None],
        context: Any,  # noqa: ANN401
    ) -> None:
        """Commit, then tell the client."""
        blocks, answers = answered
        alerts: list[list[Alert]] = []
        saves = []
        for key, watch, estimates in zip(keys, watches, answers, strict=True):
            found, keep = watch.follow(estimates) if watch and estimates else ([], None)
            alerts.append(found)
            if estimates:
                saves.append(self._store.save(key, estimates, keep))
        if len(saves) == 1:
            await saves[0]  # without a task of its own
        else:
            await asyncio.gather(*saves)
        responses: list[pb.MonitorResponse] = []
        for key, told, found, estimates in zip(keys, notices, alerts, answers, strict=True):
            about = told.about(blocks, estimates)
            if estimates:
                self._assets.see(key, estimates[-1])
            responses += _tell(about, found, estimates, key.version)
        stored = blocks[-1].sequence
        if responses and responses[-1].HasField("estimates"):
            responses[-1].acknowledged_sequence = stored
        else:
            acknowledgement = pb.Acknowledgement(sequence=stored)
            responses.append(pb.MonitorResponse(acknowledgement=acknowledgement))
        for response in responses:
            await context.write(response)


def _tell(
    notices: Iterable[pb.Notice], alerts: Sequence[Alert], estimates: list[Estimate], version: int
) -> list[pb.MonitorResponse]:
    """Estimates last: a client that has one has what had to be said about it too."""
    responses = [pb.MonitorResponse(notice=notice) for notice in notices]
    responses += [pb.MonitorResponse(alert=encode_alert(alert)) for alert in alerts]
    if estimates:
        responses.append(pb.MonitorResponse(estimates=encode_estimates(estimates, version)))
    return responses
