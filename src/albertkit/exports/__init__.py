"""Models in the formats of other runtimes: files that run where albertkit is not installed."""
