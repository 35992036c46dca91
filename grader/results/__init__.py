"""Results from records: gradebook, tables, LMS exports, report, feedback."""
