"""What a person does with a checkpoint as a whole: convert it, look inside it."""
