from gonet import recv, select, time

begin = time.Now()
ticker = time.NewTicker(10 * time.Millisecond)
end = time.After(1)
for n in range(1, 4):
    match select(recv(ticker.C), recv(end)):
        case 0, tick, _:
            print("tick", n, "not early:", tick - begin >= n * 10 * time.Millisecond)
ticker.Stop()
