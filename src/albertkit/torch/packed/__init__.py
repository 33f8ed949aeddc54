"""The encoder without padding, in float32, bfloat16 or int8: for answers alone, there is no backward pass."""
