"""Text -> model inputs and back. NumPy and plain lists; arrays of a framework only where a call asks for them."""
