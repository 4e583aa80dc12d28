"""The Open Inference Protocol, so that clients of KServe and Triton work unchanged.

In the order of the data: `tensors` and `decode` lead from a request to what the engine runs,
`encode` leads back, `describe` says what there is to ask; `servicer` has the methods, `streams` the
order of answers on a stream.
"""
