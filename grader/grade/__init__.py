"""From a clean notebook to a record: experiments, examiner, journal, and whole classes."""
