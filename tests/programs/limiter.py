"""A rate limiter: a bucket of tokens that a ticker fills. What is printed does not depend on how fast it all goes."""

import sys

from gonet import chan, go, recv, select, send, time


class Limiter:
    """Allows burst requests at once and then one in every interval; none but the burst if interval is 0."""

    def __init__(self, interval, burst):
        self.tokens, self.stop, self.ended = chan(burst), chan(), chan()
        for _ in range(burst):
            self.tokens.send(True)
        go(self.run, time.NewTicker(interval).C if interval > 0 else None)

    def run(self, ticks):
        while select(recv(ticks), recv(self.stop))[0] == 0:
            self.fill()
        self.ended.close()

    def fill(self):
        """Add a token, unless the bucket is full."""
        return select(send(self.tokens, True), default=True)[0] == 0

    def wait(self):
        self.tokens.recv()

    def allow(self):
        return select(recv(self.tokens), default=True)[0] == 0

    def wait_for(self, d):
        return select(recv(self.tokens), recv(time.After(d)))[0] == 0

    def close(self):
        self.stop.close()
        self.ended.recv()


def yes(x):
    return "true" if x else "false"


def client(who, n):
    for _ in range(n):
        limiter.wait()
        served.send(who)


n = int(sys.argv[1]) if sys.argv[1:] else 30
interval = 2 * time.Millisecond
burst = 4

requests = chan(n)
for i in range(n):
    requests.send(i)
requests.close()
begin = time.Now()
limiter = Limiter(interval, burst)
for i in requests:
    limiter.wait()
    print("request", i)
least = (n - burst) * interval
print("not faster than it may be:", yes(time.Since(begin) >= least))
limiter.close()

begin = time.Now()
limiter = Limiter(interval, 1)
served = chan()
for who in range(3):
    go(client, who, n // 3)
counts = [0, 0, 0]
for _ in range(n // 3 * 3):
    counts[served.recv()] += 1
least = (n // 3 * 3 - 1) * interval
shown = " ".join(map(str, counts))
print(f"three at one limiter: [{shown}] not faster than it may be:", yes(time.Since(begin) >= least))
limiter.close()

limiter = Limiter(0, burst)
for i in range(burst + 2):
    print("at once:", i, yes(limiter.allow()))
print("within 5 ms:", yes(limiter.wait_for(5 * time.Millisecond)))
print("filled:", yes(limiter.fill()), "within 10 s:", yes(limiter.wait_for(10 * time.Second)))
for i in range(burst + 1):
    print("fill:", i, yes(limiter.fill()))
limiter.close()
