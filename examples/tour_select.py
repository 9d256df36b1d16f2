from gonet import chan, go, recv, select, send


def numbers(ch, quit):
    for _ in range(3):
        print("received", ch.recv())
    quit.close()


ch, quit = chan(), chan()
go(numbers, ch, quit)
n = 0
while True:
    match select(send(ch, n), recv(quit)):
        case 0, _, _:
            n += 1
        case 1, _, ok:
            print("quit", ok)
            break
