"""Building a corpus: documents from files, sentences and ids from documents, shards on disk from these."""
