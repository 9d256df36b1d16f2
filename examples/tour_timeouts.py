from gonet import chan, recv, select, time

answers = chan()
match select(recv(answers), recv(time.After(0.02))):
    case 0, answer, _:
        print(answer)
    case 1, _, _:
        print("no answer within 20 ms")

timer = time.NewTimer(60)
print("stopped:", timer.Stop(), "again:", timer.Stop())
timer.Reset(0)
print("fired:", timer.C.recv() <= time.Now())

time.AfterFunc(5 * time.Millisecond, lambda: answers.send("late"))
print(answers.recv())
