"""What becomes of records: gradebook, tables, exports, report, feedback."""
