"""Weights on disk: their names and shapes (`names`), folders (`files`), and what fits where (`report`).

NumPy only. Nothing here knows a framework, and importing this package imports none of its modules.
"""
