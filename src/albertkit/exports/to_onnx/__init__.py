"""ONNX: the network written node by node, so that names, shapes and sharing are as they should be."""
