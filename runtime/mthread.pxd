# Compiled so that no signal handler runs between its lock and unlock.
