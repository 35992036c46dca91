"""The part of a check that runs in the sandbox: it calls a student's function and judges nothing."""
