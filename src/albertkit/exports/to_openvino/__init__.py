"""OpenVINO: its intermediate representation, made of the network in ONNX, so that names and sharing are kept."""
