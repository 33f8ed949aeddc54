"""ALBERT in PyTorch: `layers`, `models`, `weights`, `train`, `infer`. Importing any of them needs the extra `torch`."""

try:
    import torch as _torch  # noqa: F401  (asked for here so that its absence is answered once, with the way out)
except ImportError:
    from albertkit.errors import MissingDependency

    raise MissingDependency("albertkit.torch", "PyTorch", "torch") from None
