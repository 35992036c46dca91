"""The side of a check that enters the sandbox: it asks a student's function, and judges nothing."""
