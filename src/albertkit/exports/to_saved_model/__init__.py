"""SavedModel: the network of `albertkit.tensorflow` as a graph of TensorFlow, which needs no code of ours."""
