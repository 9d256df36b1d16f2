from gonet import chan, go, sync


def worker(jobs, results):
    for n in jobs:
        results.send((n, n * n))


def finish():
    wg.Wait()
    results.close()


jobs, results, wg = chan(100), chan(), sync.WaitGroup()
for _ in range(3):
    wg.Go(worker, jobs, results)
go(finish)
for n in range(10):
    jobs.send(n)
jobs.close()
print(sorted(results))
