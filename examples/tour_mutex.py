import runtime
from gonet import sync

balance = 0
mu = sync.Mutex()


def deposit():
    global balance
    for _ in range(100):
        with mu:
            old = balance
            runtime.Gosched()  # without the lock the others would come in here
            balance = old + 1


wg = sync.WaitGroup()
for _ in range(10):
    wg.Go(deposit)
wg.Wait()
print(balance)
