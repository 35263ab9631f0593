"""Drop-in faces of other runtimes: change the import line and keep the code."""
