# Compiled so that no signal handler runs in the middle of a look.
