from gonet import go, sync

wg = sync.WaitGroup()
squares = [0] * 5


def square(i):
    squares[i] = i * i
    wg.Done()


for i in range(5):
    wg.Add(1)
    go(square, i)
wg.Wait()
print(squares)
