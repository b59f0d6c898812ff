"""README's pictures, made of what the program itself renders: `python -m tests.pictures`."""
