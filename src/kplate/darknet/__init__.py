"""Networks in Darknet's own files: a `.cfg` that describes them, `.weights` and `.names`.

Nothing here needs PyTorch: :mod:`kplate.nets.darknet` builds the same parse for training,
:mod:`kplate.darknet.graph` turns it into an ONNX graph for reading.
"""
