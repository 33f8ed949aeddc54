"""Classes of texts, single ones and pairs: what is read, how labels are found, and the task itself."""
