# Compiled because the scheduler runs _ring: no signal handler may raise there, in the middle of its lines.
