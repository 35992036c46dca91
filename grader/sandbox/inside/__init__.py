"""The files that enter a sandbox, and the process that is forked for each one."""
