from gonet import context, recv, select, time
from gonet.sync import errgroup


def part(n):
    if n == 1:
        raise ValueError("part 1 is missing")
    match select(recv(time.After(60)), recv(ctx.Done())):
        case 1, _, _:
            print("part", n, "is given up:", context.Cause(ctx))


group, ctx = errgroup.WithContext(context.Background())
for n in range(2):
    group.Go(lambda n=n: part(n))
try:
    group.Wait()
except ValueError as err:
    print("all have ended:", err)

squares, group = [], errgroup.Group()
group.SetLimit(2)
for n in range(5):
    group.Go(lambda n=n: squares.append(n * n))
group.Wait()
print(sorted(squares))
