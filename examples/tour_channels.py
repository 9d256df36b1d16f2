from gonet import chan, go


def add(numbers, result):
    result.send(sum(numbers))


numbers = range(1000)
result = chan()
go(add, numbers[:500], result)
go(add, numbers[500:], result)
print(result.recv() + result.recv())
