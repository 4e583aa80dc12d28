"""Asks servers through tritonclient and prints what it got. Runs in its own environment.

Each line of standard input is a JSON array, VERB ADDRESS ARRAYS.npz JOB, and is answered by a line:
an object with `got`, or with `error`, the trace.
"""

import asyncio
import base64
import json
import queue
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException

Arrays = dict[str, np.ndarray]
TIMEOUT_S = 120
VERBS: dict[str, Callable[..., Any]] = {}


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    VERBS[function.__name__] = function
    return function


@contextmanager
def connect(address: str) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(address)
    try:
        yield client
    finally:
        client.close()


def make_inputs(arrays: Arrays) -> list[triton.InferInput]:
    inputs = []
    for name, values in arrays.items():
        inputs.append(triton.InferInput(name, list(values.shape), "FP32"))
        inputs[-1].set_data_from_numpy(values)
    return inputs


def make_texts(arrays: Arrays) -> list[triton.InferInput]:
    """The same inputs in type BYTES, each number as a text behind its length."""
    inputs = []
    for name, values in arrays.items():
        inputs.append(triton.InferInput(name, list(values.shape), "BYTES"))
        inputs[-1].set_data_from_numpy(values.astype("S"))
    return inputs


def read(result: triton.InferResult, outputs: list[str]) -> dict[str, Any]:
    response = result.get_response()
    return {
        "id": response.id,
        "model": f"{response.model_name}/{response.model_version}",
        "names": [output.name for output in response.outputs],
        "values": {name: result.as_numpy(name).tolist() for name in outputs},
    }


def tell(error: InferenceServerException) -> dict[str, str]:
    return {"status": error.status(), "text": error.message()}


@verb
def descriptors(_address: str, _arrays: Arrays, _job: Any) -> list[str]:
    """The files that tritonclient was generated from."""
    files = [service_pb2.DESCRIPTOR, model_config_pb2.DESCRIPTOR]
    return [base64.b64encode(file.serialized_pb).decode() for file in files]


@verb
def describe(address: str, _arrays: Arrays, job: Any) -> Any:
    """All that can be asked about a server and one of its models."""
    name, version = job["model"], job["version"]
    with connect(address) as client:
        return {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "server": client.get_server_metadata(as_json=True),
            "model_ready": client.is_model_ready(name, version),
            "metadata": client.get_model_metadata(name, version, as_json=True),
            "config": client.get_model_config(name, version, as_json=True),
            "statistics": client.get_inference_statistics(name, version, as_json=True),
            "index": client.get_model_repository_index(as_json=True),
        }


@verb
def infer(address: str, arrays: Arrays, job: Any) -> Any:
    """One answer after the other, for each number of rows."""
    answers = []
    with connect(address) as client:
        for count in job["rows"]:
            result = client.infer(
                job["model"],
                make_inputs({name: values[:count] for name, values in arrays.items()}),
                model_version=job.get("version", ""),
                request_id=f"{count} rows",
                outputs=[triton.InferRequestedOutput(name) for name in job["outputs"]],
                client_timeout=TIMEOUT_S,
                timeout=TIMEOUT_S * 1_000_000,
                priority=1,
            )
            answers.append(read(result, job["outputs"]))
    return answers


@verb
def infer_async(address: str, arrays: Arrays, job: Any) -> Any:
    """Each row by itself, all at once."""

    async def ask() -> Any:
        async with triton_aio.InferenceServerClient(address) as client:
            assert await client.is_server_live()
            assert await client.is_model_ready(job["model"])
            rows = range(len(next(iter(arrays.values()))))
            results = await asyncio.gather(
                *(
                    client.infer(
                        job["model"],
                        make_inputs({key: part[row : row + 1] for key, part in arrays.items()}),
                        request_id=str(row),
                        client_timeout=TIMEOUT_S,
                    )
                    for row in rows
                )
            )
            return [read(result, job["outputs"]) for result in results]

    return asyncio.run(ask())


@verb
def stream_async(address: str, arrays: Arrays, job: Any) -> Any:
    """Each row by itself on one stream."""

    async def ask() -> Any:
        async def requests() -> Any:
            for row in range(len(next(iter(arrays.values())))):
                inputs = make_inputs({key: part[row : row + 1] for key, part in arrays.items()})
                yield {"model_name": job["model"], "inputs": inputs, "request_id": str(row)}

        async with triton_aio.InferenceServerClient(address) as client:
            answers = client.stream_infer(requests(), stream_timeout=TIMEOUT_S)
            return [
                read(result, job["outputs"]) if error is None else tell(error)
                async for result, error in answers
            ]

    return asyncio.run(ask())


@verb
def stream(address: str, arrays: Arrays, job: Any) -> Any:
    """Each row by itself on one stream; those of the rows in `bad` go to no model."""
    answers: queue.Queue[Any] = queue.Queue()

    def take(result: Any, error: Any) -> None:
        answers.put(tell(error) if error else read(result, job["outputs"]))

    with connect(address) as client:
        client.start_stream(take, stream_timeout=TIMEOUT_S)
        count = len(next(iter(arrays.values())))
        for row in range(count):
            client.async_stream_infer(
                "nobody" if row in job["bad"] else job["model"],
                make_inputs({key: part[row : row + 1] for key, part in arrays.items()}),
                request_id=str(row),
                enable_empty_final_response=True,
            )
        got = [answers.get(timeout=TIMEOUT_S) for _ in range(count)]
        client.stop_stream()
    return got


@verb
def repository(address: str, _arrays: Arrays, job: Any) -> Any:
    """Unload a model, look, and load it again."""
    name = job["model"]
    with connect(address) as client:
        client.unload_model(name)
        gone = client.is_model_ready(name), client.get_model_repository_index(as_json=True)
        client.load_model(name)
        back = client.is_model_ready(name), client.get_model_repository_index(as_json=True)
    return gone, back


@verb
def refusals(address: str, arrays: Arrays, job: Any) -> Any:
    """How calls fail: by what was wrong with each."""
    name = job["model"]
    halves = {key: part[..., : part.shape[-1] // 2] for key, part in arrays.items()}
    late = {"timeout": 1, "client_timeout": TIMEOUT_S}
    failures = {}
    with connect(address) as client:
        calls: dict[str, Callable[[], Any]] = {
            "unknown model": lambda: client.infer("nobody", make_inputs(arrays)),
            "unknown version": lambda: client.infer(name, make_inputs(arrays), model_version="99"),
            "metadata of an unknown model": lambda: client.get_model_metadata("nobody"),
            "configuration of an unknown model": lambda: client.get_model_config("nobody"),
            "statistics of an unknown model": lambda: client.get_inference_statistics("nobody"),
            "shape": lambda: client.infer(name, make_inputs(halves)),
            "texts": lambda: client.infer(name, make_texts(arrays)),
            "no input": lambda: client.infer(name, []),
            "late": lambda: client.infer(name, make_inputs(arrays), **late),
            "shared memory": client.get_system_shared_memory_status,
            "configuration of one's own": lambda: client.load_model(name, config="{}"),
            "load an unknown model": lambda: client.load_model("nobody"),
            "unload an unknown model": lambda: client.unload_model("nobody"),
        }
        for title, call in calls.items():
            try:
                call()
            except InferenceServerException as error:
                failures[title] = tell(error)
    return failures


def main() -> None:
    for line in sys.stdin:
        name, address, arrays, job = json.loads(line)
        try:
            with np.load(arrays) as file:
                answer = {"got": VERBS[name](address, dict(file), job)}
        except Exception:  # noqa: BLE001  # the test that asked fails with it
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
