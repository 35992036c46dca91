"""The `ask` functions of exercises that need more than a plain call, one file per exercise."""
