"""The models in NumPy alone, for answers: there at once, where importing a framework takes seconds."""
