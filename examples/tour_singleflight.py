from gonet import recv, select, sync, time
from gonet.sync import singleflight


def fetch():
    print("fetching")
    time.Sleep(0.2)
    return "the page"


def visitor():
    page, shared = flight.Do("/", fetch)
    pages.append((page, shared))


flight, pages = singleflight.Group(), []
wg = sync.WaitGroup()
for _ in range(3):
    wg.Go(visitor)
wg.Wait()
print(pages)

match select(recv(flight.DoChan("/", fetch)), recv(time.After(60))):
    case 0, result, _:
        print(result.Val, result.Err, result.Shared)
