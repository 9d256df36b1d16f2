from gonet import chan

ch = chan(2)
ch.send("a")
ch.send("b")
print(len(ch), ch.cap)
print(ch.recv(), ch.recv(), len(ch))
