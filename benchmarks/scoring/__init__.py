"""What quality.py does with models: its runs, the data they are given, and what knows nothing to compare with."""
