"""Running models: arrays in, arrays out, in any framework."""
