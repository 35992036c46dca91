"""The instructor's package: builds notebooks, grades submissions, reports. Not shipped to students."""
