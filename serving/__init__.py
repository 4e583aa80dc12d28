"""The gRPC server: ONNX Runtime behind streams.

In the order of the data: `folder` and `session` load and check a model, `models` finds them, `pool`
runs them; `decode`, `inbox` and `answers` lead from messages to estimates, `store` keeps them,
`notices` and `encode` lead back; `servicer` has the methods, `live` the open streams, `errors` the
statuses; `settings` and `server` make a process of it.
"""
