"""The gRPC server: ONNX Runtime behind streams.

In the order of the data: `folder` and `session` load and check a model, `models` and `repository`
find them, `policy` measures them, `versions` and `labels` say which of them answer; `batcher` and
`workers` run what a `request` asks, `counts` counts, and `engine` is all of that in one; `decode`,
`inbox` and `answers` lead from messages to estimates, `store` keeps them, `notices` and `encode`
lead back; `servicer` has the methods, `live` the open streams, `errors` the statuses; `settings`
and `server` make a process of it. `open_inference` answers clients of the Open Inference Protocol,
`security` says who may call, `operations` shows what happens.
"""
