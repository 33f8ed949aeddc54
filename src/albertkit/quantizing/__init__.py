"""A model made ready for int8: scales from given texts, and a measurement of what they change before they are kept."""
