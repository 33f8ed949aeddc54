"""Training: the recipe, the order of batches, the loop, and what a run leaves behind. Frameworks are picked by name."""
