import runtime
from gonet import sync


def work(n):
    try:
        if n < 0:
            raise ValueError("negative")
    finally:
        print("cleaned up")


runtime.SetPanicHook(lambda g, exc: print(f"goroutine {g.goid}: {exc!r}"))
wg = sync.WaitGroup()
wg.Go(work, -1)
wg.Wait()
print("main goes on")
