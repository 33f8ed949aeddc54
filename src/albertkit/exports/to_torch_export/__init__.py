"""torch.export: the network of `albertkit.torch` as a graph of PyTorch's operators, which needs no code of ours."""
