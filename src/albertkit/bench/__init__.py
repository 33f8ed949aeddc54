"""How fast a model answers on this machine: every way that is installed, each in a process of its own, in turn."""
