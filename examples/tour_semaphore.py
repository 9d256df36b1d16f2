from gonet import context, sync, time
from gonet.sync import semaphore

memory = semaphore.NewWeighted(10)
used = most = 0


def work(n):
    global used, most
    memory.Acquire(context.Background(), n)
    used += n
    most = max(most, used)
    time.Sleep(0.01)
    used -= n
    memory.Release(n)


wg = sync.WaitGroup()
for n in (3, 8, 2, 5, 6, 1):
    wg.Go(work, n)
wg.Wait()
print("never more than 10:", most <= 10)

memory.Acquire(context.Background(), 9)
print(memory.TryAcquire(1), memory.TryAcquire(1))
ctx, cancel = context.WithTimeout(context.Background(), 0.01)
try:
    memory.Acquire(ctx, 4)
except context.DeadlineExceeded as err:
    print("not got:", err)
cancel()
