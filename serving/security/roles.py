"""Which role a caller needs for a method."""

from typing import Literal, get_args

Role = Literal["infer", "ingest", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

_HEALTH = "grpc.health.v1.Health"
_OWN = "wearcast.v1.MachineHealthService"
_OPEN = "inference.GRPCInferenceService"
# None: open to everyone, for probes have no tokens.
METHODS: dict[str, Role | None] = {
    f"/{_HEALTH}/Check": None,
    f"/{_HEALTH}/List": None,
    f"/{_HEALTH}/Watch": None,
    f"/{_OPEN}/ServerLive": None,
    f"/{_OPEN}/ServerReady": None,
    f"/{_OWN}/ListModels": "infer",
    f"/{_OWN}/GetModel": "infer",
    f"/{_OWN}/Predict": "infer",
    f"/{_OWN}/Monitor": "infer",
    "/wearcast.v1.IngestService/Ingest": "ingest",
    f"/{_OPEN}/ModelReady": "infer",
    f"/{_OPEN}/ServerMetadata": "infer",
    f"/{_OPEN}/ModelMetadata": "infer",
    f"/{_OPEN}/ModelConfig": "infer",
    f"/{_OPEN}/ModelStatistics": "infer",
    f"/{_OPEN}/ModelInfer": "infer",
    f"/{_OPEN}/ModelStreamInfer": "infer",
    f"/{_OPEN}/RepositoryIndex": "admin",
    f"/{_OPEN}/RepositoryModelLoad": "admin",
    f"/{_OPEN}/RepositoryModelUnload": "admin",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "infer",
}


def role_of(method: str) -> Role | None:
    """The role that a method needs, by its path; None: none.

    >>> role_of("/wearcast.v1.IngestService/Ingest")
    'ingest'
    >>> role_of("/what.nobody/HasListed")
    'admin'
    """
    return METHODS.get(method, "admin")
