"""Models behind HTTP: requests of all clients are computed together, and each is answered by itself."""
