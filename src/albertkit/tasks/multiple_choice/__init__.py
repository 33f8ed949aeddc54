"""One option of several: files of questions with options, and the task itself."""
