"""StableHLO: the network of `albertkit.flax` in the language that XLA and other compilers read, by jax.export."""
