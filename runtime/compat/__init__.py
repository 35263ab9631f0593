"""Drop-in faces of other runtimes."""
