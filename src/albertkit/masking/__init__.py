"""Which pieces of a sequence a masked language model has to predict, and what stands in their place."""
