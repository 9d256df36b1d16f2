# Compiled so that its ticks are short.
