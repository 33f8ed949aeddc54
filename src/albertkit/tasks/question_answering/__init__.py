"""Answers in a context: files of questions, spans and their official scores, and the task itself."""
