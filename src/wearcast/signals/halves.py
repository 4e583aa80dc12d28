"""Two halves of one graph: what crosses from export to serving beside the whole.

Some models look at each block of a window on its own first, and only then at all of them together:
`model(window) = head(encoder(block) for block in window)`. Consecutive windows of a stream have all
blocks but one in common, so a server that runs the halves encodes each block once.

encoder-N.onnx  `snapshots` float32 (N, channels, window) -> `features` float32 (N, F)
head-N.onnx     `features` float32 (N, sequence, F), oldest first -> the contract's outputs

There is a pair for each batch size of the contract, or none at all.
"""

ENCODER, HEAD = "encoder", "head"
SNAPSHOTS, FEATURES = "snapshots", "features"
# How far from the whole graph's answer the halves' may be: absolute, in the output's unit, and as a
# part of the answer's size.
TOLERANCE = 1e-5
