"""What TensorFlow and Keras give no types for, under one name each."""

from typing import Any

Tensor = Any
"""A tensor of TensorFlow, or what Keras takes for one: an array, a variable, a KerasTensor of a functional model."""
Model = Any
"""A keras.Model, whose own attributes Keras does not describe to type checkers."""
DType = Any
"""A dtype of any framework or its name, or a dtype policy of Keras such as "mixed_bfloat16"; None for Keras' own."""
Data = Any
"""What keras.Model.fit takes as x, y or sample_weight, and hands to a step."""
