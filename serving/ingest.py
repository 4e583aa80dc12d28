"""The method of IngestService: decode, keep, say so."""

import asyncio
from typing import Any

from wearcast.serving.central import Central
from wearcast.serving.decode_parcel import decode_parcel
from wearcast.signals.errors import InputError
from wearcast.v1 import ingest_pb2 as pb
from wearcast.v1.ingest_pb2_grpc import IngestServiceServicer


class IngestServicer(IngestServiceServicer):  # type: ignore[misc]  # generated, untyped
    """Takes in what edge services send."""

    def __init__(self, central: Central, *, max_message_bytes: int) -> None:
        self._central = central
        self._max_message_bytes = max_message_bytes

    async def Ingest(  # noqa: N802
        self,
        request: pb.IngestRequest,
        context: Any,  # noqa: ANN401, ARG002
    ) -> pb.IngestResponse:
        """Store one parcel; the answer follows the commit."""
        size = request.ByteSize()
        if size > self._max_message_bytes:
            raise InputError(
                "message",
                f"at most {self._max_message_bytes} bytes",
                f"{size} bytes",
                reason="OVERSIZED",
                status="RESOURCE_EXHAUSTED",
            )
        # A large one takes a second; live streams go on meanwhile.
        parcel = await asyncio.to_thread(decode_parcel, request)
        if await self._central.keep(parcel):
            return pb.IngestResponse(result=pb.INGEST_RESULT_STORED)
        return pb.IngestResponse(result=pb.INGEST_RESULT_ALREADY_STORED)
