from gonet import chan, recv, select, send

ch = chan(1)
print(select(recv(ch), default=True))
print(select(send(ch, "first"), default=True))
print(select(send(ch, "second"), default=True))
print(select(recv(ch), default=True))
