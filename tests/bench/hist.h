/* A latency histogram: nanoseconds in log-linear buckets, 64 to each power of two, so a quantile is off by 1.6 % at most. */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>
#include <string.h>

enum { HIST_SUB_BITS = 6, HIST_SUB = 1 << HIST_SUB_BITS, HIST_BUCKETS = (64 - HIST_SUB_BITS + 1) * HIST_SUB };

typedef struct {
    uint64_t count[HIST_BUCKETS];
    uint64_t total, max;
} Hist;

static inline void hist_clear(Hist *h) { memset(h, 0, sizeof *h); }

static inline void hist_add(Hist *h, uint64_t ns) {
    unsigned index = (unsigned)ns;
    if (ns >= HIST_SUB) {
        unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - HIST_SUB_BITS;
        index = (shift + 1) * HIST_SUB + (unsigned)((ns >> shift) - HIST_SUB);
    }
    h->count[index]++;
    h->total++;
    if (ns > h->max) h->max = ns;
}

/* The upper edge of the bucket that holds quantile q (0 < q <= 1), in nanoseconds; 0 for an empty histogram. */
static inline uint64_t hist_quantile(const Hist *h, double q) {
    uint64_t rank = (uint64_t)(q * (double)h->total + 0.999999), seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += h->count[i];
        if (seen >= rank && seen > 0) {
            if (i < HIST_SUB) return i;
            unsigned shift = i / HIST_SUB - 1;
            uint64_t edge = ((uint64_t)(i % HIST_SUB + HIST_SUB + 1) << shift) - 1;
            return edge < h->max ? edge : h->max;
        }
    }
    return h->max;
}

#endif
