"""What an instructor runs: builds notebooks, grades submissions, reports. Never on a student's machine."""
