"""The dining philosophers. A fork is a channel that holds it; three rules that keep them from starving: everyone takes
the fork with the lower number first; a waiter keeps one away from the table; who cannot have both puts the first back.
Then once more with locks for forks, and with one lock and a condition.
"""

import sys

from gonet import chan, go, recv, select, sync
from runtime import Gosched

SEATS = 5


class Table:
    def __init__(self):
        self.events = chan()
        self.forks = [chan(1) for _ in range(SEATS)]
        self.locks = [sync.Mutex() for _ in range(SEATS)]
        self.cond = sync.Cond(sync.Mutex())
        self.taken = [False] * SEATS  # guarded by cond.L
        for fork in self.forks:
            fork.send(True)

    def watch(self, meals):
        """Follow the events of so many meals: who ate how often, the most at once, and how often neighbours did."""
        ate, eating, most, neighbours = [0] * SEATS, set(), 0, 0
        for _ in range(2 * meals * SEATS):
            who, eats = self.events.recv()
            if not eats:
                eating.remove(who)
                continue
            neighbours += bool(eating & {(who + 1) % SEATS, (who - 1) % SEATS})
            eating.add(who)
            most = max(most, len(eating))
            ate[who] += 1
        return ate, most, neighbours

    def eat(self, i):
        self.events.send((i, True))
        Gosched()
        self.events.send((i, False))


def in_order(t, i, meals):
    first, second = sorted([i, (i + 1) % SEATS])
    for _ in range(meals):
        t.forks[first].recv()
        Gosched()
        t.forks[second].recv()
        t.eat(i)
        t.forks[second].send(True)
        t.forks[first].send(True)


def with_waiter(waiter, t, i, meals):
    for _ in range(meals):
        waiter.send(True)
        t.forks[i].recv()
        Gosched()
        t.forks[(i + 1) % SEATS].recv()
        t.eat(i)
        t.forks[i].send(True)
        t.forks[(i + 1) % SEATS].send(True)
        waiter.recv()


def politely(t, i, meals):
    while meals > 0:
        t.forks[i].recv()
        Gosched()
        match select(recv(t.forks[(i + 1) % SEATS]), default=True):
            case 0, _, _:
                t.eat(i)
                t.forks[(i + 1) % SEATS].send(True)
                meals -= 1
        t.forks[i].send(True)
        Gosched()


def locked(t, i, meals):
    first, second = sorted([i, (i + 1) % SEATS])
    for _ in range(meals):
        with t.locks[first]:
            Gosched()
            with t.locks[second]:
                t.eat(i)


def condition(t, i, meals):
    right = (i + 1) % SEATS
    for _ in range(meals):
        with t.cond.L:
            while t.taken[i] or t.taken[right]:
                t.cond.Wait()
            t.taken[i] = t.taken[right] = True
        t.eat(i)
        with t.cond.L:
            t.taken[i] = t.taken[right] = False
            t.cond.Broadcast()


def dine(rule, meals, philosopher, *args):
    t = Table()
    for i in range(SEATS):
        go(philosopher, *args, t, i, meals)
    ate, most, neighbours = t.watch(meals)
    for i, n in enumerate(ate):
        print(f"{rule}: philosopher {i} has eaten {n} times")
    two = "true" if most <= SEATS // 2 else "false"
    print(f"{rule}: at most two at once: {two}, neighbours at once: {neighbours}")


meals = int(sys.argv[1]) if sys.argv[1:] else 200
dine("in order", meals, in_order)
dine("waiter", meals, with_waiter, chan(SEATS - 1))
dine("politely", meals, politely)
dine("locks", meals, locked)
dine("condition", meals, condition)
