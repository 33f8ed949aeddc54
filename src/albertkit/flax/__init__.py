"""ALBERT in JAX: `layers`, `models`, `weights`, `train`, `infer`. Importing any of them needs the extra `flax`."""

try:
    import flax as _flax  # noqa: F401 - asked for so that the absence of any is answered once, with the way out
    import jax as _jax  # noqa: F401 - for the same reason
    import optax as _optax  # noqa: F401 - for the same reason
except ImportError:
    from albertkit.errors import MissingDependency

    raise MissingDependency("albertkit.flax", "JAX and Flax", "flax") from None
