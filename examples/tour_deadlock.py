import re

import runtime
from gonet import chan, go


def worker(jobs):
    for job in jobs:
        print("job", job)


jobs, results = chan(), chan()
go(worker, jobs)
jobs.send(1)
try:
    results.recv()
except runtime.Error as err:
    print(str(err).splitlines()[0])
    print(*re.findall(r"goroutine \d+ \[.*\]:", str(err)), sep="\n")
jobs.send(2)
jobs.close()
runtime.Gosched()
