from gonet import go, sync, time


def greet(name, delay):
    time.Sleep(delay)
    print("hello from", name)


wg = sync.WaitGroup()
wg.Go(greet, "the second", 0.05)
wg.Go(greet, "the first", 0)
wg.Wait()
g = go(greet, "one that is not waited for", 60)
print("main ends")
