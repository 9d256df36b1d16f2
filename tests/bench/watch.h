/* What the server process has used so far: CPU time, its user and system shares, resident memory; and how disturbed it was.
 *
 * The load generator reads these itself, at the very edges of the window it measures: a sample taken by another
 * process would be late by a scheduling delay, and would need a CPU to run on.
 */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    uint64_t wall, server, load;           /* nanoseconds: the monotonic clock, and CPU time of either process */
    uint64_t user_ticks, sys_ticks;        /* of the server, in units of 1/sysconf(_SC_CLK_TCK) s */
    uint64_t waited;                       /* nanoseconds that either was ready to run while others had its CPU */
} Usage;

static inline uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t) < 0) return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

/* CPU time of all threads of `pid`, to the nanosecond; 0 when it is gone. */
static inline uint64_t cpu_ns(pid_t pid) {
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? clock_ns(clock) : 0;
}

/* Fields 14 and 15 of /proc/PID/stat: 10 ms ticks, so good for the ratio of user to system, not for the sum. */
static inline void cpu_ticks(pid_t pid, uint64_t *user, uint64_t *sys) {
    char path[64], line[1024];
    *user = *sys = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL) return;
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = 0;
    char *after = strrchr(line, ')');      /* the command's name may hold spaces and parentheses */
    if (after != NULL)
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, user, sys);
}

/* Resident memory of `pid` in KB of 1,024 bytes: smaps_rollup is exact, where statm may lag behind by some pages a CPU. */
static inline long rss_kb(pid_t pid) {
    char path[64], line[256];
    long kb = -1, pages = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *f = fopen(path, "r");
    if (f != NULL) {
        while (kb < 0 && fgets(line, sizeof line, f) != NULL) sscanf(line, "Rss: %ld kB", &kb);
        fclose(f);
        if (kb >= 0) return kb;
    }
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    f = fopen(path, "r");
    if (f == NULL) return -1;
    if (fscanf(f, "%*d %ld", &pages) == 1) kb = pages * (sysconf(_SC_PAGESIZE) / 1024);
    fclose(f);
    return kb;
}

/* Time that the threads of `pid` spent in a run queue: next to none when each process has a CPU of its own. */
static inline uint64_t waited_ns(pid_t pid) {
    char path[300];
    uint64_t total = 0, ns;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) return 0;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (task->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, task->d_name);
        FILE *f = fopen(path, "r");
        if (f == NULL) continue;
        if (fscanf(f, "%*u %" SCNu64, &ns) == 1) total += ns;
        fclose(f);
    }
    closedir(tasks);
    return total;
}

static inline Usage usage(pid_t pid) {
    Usage u;
    u.wall = now_ns();
    u.server = cpu_ns(pid);
    u.load = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    cpu_ticks(pid, &u.user_ticks, &u.sys_ticks);
    u.waited = waited_ns(pid) + waited_ns(getpid());
    return u;
}

#endif
