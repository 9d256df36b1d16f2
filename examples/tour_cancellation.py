from gonet import chan, context, go, recv, select, send


def count(ctx, out):
    n = 0
    while select(send(out, n), recv(ctx.Done()))[0] == 0:
        n += 1
    print("the counter ends:", ctx.Err())
    out.close()


ctx, cancel = context.WithCancel(context.Background())
out = chan()
go(count, ctx, out)
print([out.recv() for _ in range(5)])
cancel()
for _ in out:  # until it is closed
    pass

ctx, cancel = context.WithTimeout(context.WithValue(context.Background(), "user", "ann"), 0.01)
ctx.Done().recv()
print(ctx.Value("user"), ctx.Err(), isinstance(ctx.Err(), TimeoutError))
cancel()

parent, cancel = context.WithCancelCause(context.Background())
child, stop = context.WithCancel(parent)
cancel(ValueError("no more of this"))
print(child.Err(), context.Cause(child))
