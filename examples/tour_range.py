import runtime
from gonet import chan, go


def fibonacci(n, out):
    a, b = 0, 1
    for _ in range(n):
        out.send(a)
        a, b = b, a + b
    out.close()


ch = chan()
go(fibonacci, 10, ch)
print(*ch)

ch = chan(1)
ch.send(None)
ch.close()
print(ch.recv2(), ch.recv2(), ch.recv())
try:
    ch.send(1)
except runtime.Error as err:
    print(err)
