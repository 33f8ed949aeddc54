"""How likely a masked language model holds whole texts."""
