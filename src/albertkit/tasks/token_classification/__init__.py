"""Entities in texts: files of tags and spans, the schemes of tags, and the task itself."""
