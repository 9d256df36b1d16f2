"""The scheduler's random numbers: in range, even, and repeatable from a seed."""

from __future__ import annotations

import os

import pytest

from runtime.rand import cheaprand, cheaprandn, cheapseed


@pytest.fixture(autouse=True)
def seeded_again():
    yield
    cheapseed(int.from_bytes(os.urandom(8), "little"))


def test_numbers_have_32_bits():
    got = [cheaprand() for _ in range(2000)]
    assert all(0 <= x < 1 << 32 for x in got)
    for bit in range(32):
        ones = sum(x >> bit & 1 for x in got)
        assert abs(ones - 1000) < 6.5 * 500**0.5, bit


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100, (1 << 32) - 1])
def test_numbers_are_below_the_bound_and_even(n):
    got = [cheaprandn(n) for _ in range(6000)]
    assert all(0 <= x < n for x in got)
    for k in range(min(n, 7)):
        part = sum(k * n <= x * 7 < (k + 1) * n for x in got) if n > 7 else got.count(k)
        p = 1 / min(n, 7)
        assert abs(part - 6000 * p) <= 6.5 * (6000 * p * (1 - p)) ** 0.5 + (100 if n == 100 else 0), k


def test_pairs_are_even():
    got = {}
    for _ in range(6000):
        pair = cheaprandn(3), cheaprandn(2)
        got[pair] = got.get(pair, 0) + 1
    assert len(got) == 6 and all(abs(c - 1000) < 6.5 * (6000 * 5 / 36) ** 0.5 for c in got.values())


@pytest.mark.parametrize("seed", [0, 1, -1, 1 << 70, 123456789])
def test_a_seed_repeats_the_sequence(seed):
    cheapseed(seed)
    first = [cheaprandn(1000) for _ in range(20)]
    cheapseed(seed)
    assert [cheaprandn(1000) for _ in range(20)] == first
    assert len(set(first)) > 5


def test_neighbouring_seeds_give_different_sequences():
    def sequence(seed):
        cheapseed(seed)
        return tuple(cheaprandn(2) for _ in range(64))

    found = {sequence(seed) for seed in range(200)}
    assert len(found) == 200
    assert 60 < sum(s[0] for s in found) < 140
