"""The runner, which runs inside a sandbox, and the zygote, which is forked for each one."""
