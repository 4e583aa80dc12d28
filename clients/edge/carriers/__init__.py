"""How parcels get to the central server: by gRPC to `wearcast serve`, or by HTTP to any server."""

from typing import Annotated

from pydantic import Field

from wearcast.clients.edge.carriers.carrier import Carrier
from wearcast.clients.edge.carriers.grpc_carrier import GrpcCarrier, GrpcSettings
from wearcast.clients.edge.carriers.http_carrier import HttpCarrier, HttpSettings

CarrierSettings = Annotated[GrpcSettings | HttpSettings, Field(discriminator="type")]


def open_carrier(settings: GrpcSettings | HttpSettings) -> Carrier:
    """The carrier of these settings; it connects when it sends.

    Raises:
        InputError: a file of the settings can't be read.
    """
    if isinstance(settings, GrpcSettings):
        return GrpcCarrier(settings)
    return HttpCarrier(settings)
