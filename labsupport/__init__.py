"""What the notebooks import: models, texts, the given parts of each lab, and the checks."""
