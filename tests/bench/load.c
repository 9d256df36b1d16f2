/* The load generator: closed-loop echo clients on one thread and one edge-triggered epoll.
 *
 *   load MODE --port P --pid SERVER [--conns N] [--size B] [--idle M] [--seconds S] [--warmup W] [--sources K]
 *        [--calm C] [--patience T]
 *
 *   echo    N connections, each with one message of B bytes in flight: send, await all of it, send again
 *   idle    N busy connections, measured alone; then M idle ones are opened, and the busy ones measured beside them
 *   churn   N lanes, each: connect, one round trip, close, the next; a "message" is a connection
 *   parked  M idle connections and nothing else: what the server uses while nobody speaks
 *
 * Prints one line of JSON and exits 0; "errors" counts connections that failed, "error" is the first one's story.
 * Exits 2 on misuse.
 *
 * What makes a message count: as many bytes came back as were sent, before its time was taken.  Of each connection's first
 * message, and of every 16th after it, the values are compared as well; the bytes of the others are counted and discarded in the kernel
 * (MSG_TRUNC, tcp(7)), which keeps this end cheaper than any server.
 * At the end of a run every message in flight is awaited, every connection half-closed, and the server's own close
 * awaited, so a byte too few or too many, or a connection the server does not close, is an error.  Nothing is ever reset: a
 * reset would make some servers raise and others not.
 *
 * Ports: the client closes first, so TIME_WAIT stays with it.  K source addresses (127.0.0.1 to 127.0.0.K) multiply the
 * ephemeral ports, for 10,000 connections at a time as for churn.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "hist.h"
#include "watch.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* Connections opened between two round trips that prove the server has accepted them: far below any backlog. */
enum { OPEN_BATCH = 64, EVENTS = 512, COMPARED = 16 };

typedef enum { CLOSED, CONNECTING, RESTING, TALKING, CLOSING } State;

typedef struct {
    int fd;
    State state;
    size_t sent, got;                      /* of the message in flight */
    unsigned turn;                         /* messages begun on this connection */
    uint64_t began;                        /* when that message (churn: the connection) began */
} Conn;

typedef struct {
    const char *name;
    Usage before, after;
    Hist latency;
} Window;

static struct {
    int port;
    pid_t pid;
    int conns, idle, sources;
    size_t size;
    double seconds, warmup;                /* of each window */
    double calm;                           /* seconds without work after which the server is at rest */
    double patience;                       /* seconds that it may take over anything but the measuring */
} cfg = {.conns = 1, .sources = 16, .size = 64, .seconds = 1, .warmup = 0.2, .calm = 0.3, .patience = 10};

static int epfd;
static char *message, *scratch;            /* what is sent, and where the echo lands; cfg.size bytes each */
static Conn *conns;
static int pending;                        /* connections that owe us something: a reply, or their close */
static bool repeat, churning;              /* send again after a reply; in churn, connect again after a close */
static Window *recording;                  /* NULL outside of windows */
static unsigned next_source;
static int errors;
static char first_error[256];

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void conn_forget(Conn *c) {
    if (c->state == CLOSED) return;
    if (c->state != RESTING) pending--;
    close(c->fd);
    c->state = CLOSED;
}

static void conn_fail(Conn *c, const char *format, ...) {
    if (errors++ == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(first_error, sizeof first_error, format, args);
        va_end(args);
    }
    conn_forget(c);
}

/* ---- one connection ------------------------------------------------------------------------------------------ */

static void conn_push(Conn *c) {
    while (c->sent < cfg.size) {
        ssize_t n = send(c->fd, message + c->sent, cfg.size - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;      /* EPOLLOUT will tell */
        if (n < 0) return conn_fail(c, "send: %s", strerror(errno));
        c->sent += (size_t)n;
    }
}

static void conn_talk(Conn *c, uint64_t began) {
    if (c->state == RESTING) pending++;
    c->state = TALKING;
    c->sent = c->got = 0;
    c->turn++;
    c->began = began;
    conn_push(c);
}

/* Starts to connect and registers the socket, once and for both directions. */
static void conn_open(Conn *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)cfg.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    c->began = now_ns();
    c->turn = 0;
    c->state = CONNECTING;
    pending++;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* The cheapest there is, whatever the system's default; the server's side keeps that default. */
    setsockopt(c->fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (cfg.sources > 1) {
        struct sockaddr_in from = {.sin_family = AF_INET};
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + next_source++ % (unsigned)cfg.sources);
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0) return conn_fail(c, "bind: %s", strerror(errno));
    }
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        return conn_fail(c, "connect: %s", strerror(errno));
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev) < 0) die("epoll_ctl");
}

static void conn_close(Conn *c) {
    if (c->state == RESTING) pending++;
    c->state = CLOSING;
    shutdown(c->fd, SHUT_WR);
}

static void conn_record(Conn *c, uint64_t now) {
    if (recording != NULL) hist_add(&recording->latency, now - c->began);
}

static void conn_replied(Conn *c) {
    if (churning) return conn_close(c);
    uint64_t now = now_ns();
    conn_record(c, now);
    if (repeat) return conn_talk(c, now);
    c->state = RESTING;
    pending--;
}

/* Reads the echo of the message in flight; after its last byte nothing more can come, so no read runs into EAGAIN. */
static void conn_pull(Conn *c) {
    bool compare = c->turn % COMPARED == 1;
    while (c->state == TALKING) {
        size_t want = cfg.size - c->got;
        ssize_t n = recv(c->fd, scratch, want, compare ? 0 : MSG_TRUNC);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) return conn_fail(c, "recv: %s", strerror(errno));
        if (n == 0) return conn_fail(c, "closed by the server after %zu of %zu bytes", c->got, cfg.size);
        if (c->got + (size_t)n > c->sent) return conn_fail(c, "%zu bytes back, but %zu sent", c->got + (size_t)n, c->sent);
        if (compare && memcmp(scratch, message + c->got, (size_t)n) != 0) return conn_fail(c, "wrong bytes near %zu", c->got);
        c->got += (size_t)n;
        if (c->got == cfg.size) return conn_replied(c);
        if ((size_t)n < want) return;              /* drained; the rest is another edge */
    }
}

static void conn_await_close(Conn *c) {
    ssize_t n = recv(c->fd, scratch, cfg.size, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return conn_fail(c, "recv at close: %s", strerror(errno));
    if (n > 0) return conn_fail(c, "%zd bytes too many", n);
    conn_record(c, now_ns());
    conn_forget(c);
    if (churning && repeat) conn_open(c);
}

static void conn_connected(Conn *c) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return conn_fail(c, "connect: %s", strerror(error));
    if (churning) return conn_talk(c, c->began);
    c->state = RESTING;
    pending--;
}

static void conn_event(Conn *c, uint32_t events) {
    switch (c->state) {
    case CLOSED: return;
    case CONNECTING:
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) conn_connected(c);
        return;
    case RESTING:
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR)) conn_fail(c, "the server spoke first, or hung up");
        return;
    case TALKING:
        if (c->sent < cfg.size) conn_push(c);
        if (events & ~(uint32_t)EPOLLOUT) conn_pull(c);
        return;
    case CLOSING:
        if (events & ~(uint32_t)EPOLLOUT) conn_await_close(c);
        return;
    }
}

/* ---- the loop ------------------------------------------------------------------------------------------------ */

static uint64_t after(double seconds) { return now_ns() + (uint64_t)(seconds * 1e9); }

/* Serves events until `deadline`, or, when `quiet` is asked for, until no connection owes us anything.
 *
 * It never sleeps: it stands for clients on other machines. A process that sleeps here must be woken by the server's
 * send(2), which costs a microsecond (in a virtual machine several) and befalls a server the more often, the less its
 * pace happens to match ours. */
static void serve(uint64_t deadline, bool quiet) {
    struct epoll_event events[EVENTS];
    while (!(quiet && pending == 0)) {
        uint64_t now = now_ns();
        if (now >= deadline || errors > 1000) return;
        int n = epoll_wait(epfd, events, EVENTS, 0);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        if (n <= 0) sched_yield();      /* to a server that has to share our CPU */
        for (int i = 0; i < n; i++) conn_event(events[i].data.ptr, events[i].events);
    }
}

/* Lets every message in flight (and every closing connection) come to its end. */
static void settle(const char *what) {
    serve(after(cfg.patience), true);
    if (pending == 0) return;
    for (int i = 0; i < cfg.conns + cfg.idle; i++)
        if (conns[i].state > RESTING)
            conn_fail(&conns[i], "%s: no answer in %g s (%zu of %zu bytes)", what, cfg.patience, conns[i].got, cfg.size);
}

/* Opens conns[from..to), with a round trip on the last of each batch: it is accepted after those before it. */
static void open_many(int from, int to) {
    for (int i = from; i < to && errors == 0; i++) {
        conn_open(&conns[i]);
        if ((i - from + 1) % OPEN_BATCH != 0 && i + 1 < to) continue;
        settle("connect");
        if (conns[i].state == RESTING) conn_talk(&conns[i], now_ns());
        settle("first message");
    }
}

static void talk_all(int from, int to) {
    for (int i = from; i < to; i++)
        if (conns[i].state == RESTING) conn_talk(&conns[i], now_ns());
}

static void close_all(void) {
    repeat = false;
    for (int i = 0; i < cfg.conns + cfg.idle; i++)
        if (conns[i].state == RESTING) conn_close(&conns[i]);
    settle("close");
}

/* Waits until the server has used next to no CPU (1 %) for three intervals on end, cfg.calm together: it has done all it was given. */
static void await_idle_server(void) {
    uint64_t deadline = after(cfg.patience), before = cpu_ns(cfg.pid), now;
    for (int calm = 0; calm < 3 && now_ns() < deadline; before = now) {
        usleep((useconds_t)(cfg.calm / 3 * 1e6));
        now = cpu_ns(cfg.pid);
        calm = (double)(now - before) < cfg.calm / 3 * 1e7 ? calm + 1 : 0;
    }
}

/* A few round trips, and one whole connection, before anything is measured: code paths and heaps are warm. */
static void prime(void) {
    open_many(0, 1);
    for (int i = 0; i < 200 && errors == 0; i++) {
        talk_all(0, 1);
        settle("warming up");
    }
    if (conns[0].state == RESTING) conn_close(&conns[0]);
    settle("close");
    await_idle_server();
}

/* Keeps conns[0..cfg.conns) busy for the warm-up and then for the window's length. */
static void measure(Window *w, const char *name) {
    w->name = name;
    hist_clear(&w->latency);
    repeat = true;
    if (churning)
        for (int i = 0; i < cfg.conns; i++) conn_open(&conns[i]);
    else
        talk_all(0, cfg.conns);
    serve(after(cfg.warmup), false);
    recording = w;
    w->before = usage(cfg.pid);
    serve(after(cfg.seconds), false);
    w->after = usage(cfg.pid);
    recording = NULL;
    repeat = false;
    settle("last message");
}

/* ---- the modes ----------------------------------------------------------------------------------------------- */

static Window windows[2];
static long rss_base = -1, rss_open = -1, rss_spoken = -1;

static void run_echo(void) {
    open_many(0, cfg.conns);
    measure(&windows[0], "main");
    rss_open = rss_kb(cfg.pid);
}

static void run_idle(void) {
    open_many(0, cfg.conns);
    measure(&windows[0], "alone");
    await_idle_server();
    rss_base = rss_kb(cfg.pid);
    open_many(cfg.conns, cfg.conns + cfg.idle);
    await_idle_server();
    rss_open = rss_kb(cfg.pid);
    measure(&windows[1], "beside");
    for (int i = cfg.conns; i < cfg.conns + cfg.idle; i += OPEN_BATCH) {
        int end = i + OPEN_BATCH < cfg.conns + cfg.idle ? i + OPEN_BATCH : cfg.conns + cfg.idle;
        talk_all(i, end);
        settle("message on an idle connection");
    }
    await_idle_server();
    rss_spoken = rss_kb(cfg.pid);
}

static void run_churn(void) {
    churning = true;
    measure(&windows[0], "main");
    rss_open = rss_kb(cfg.pid);
}

static void run_parked(void) {
    open_many(cfg.conns, cfg.conns + cfg.idle);
    await_idle_server();
    rss_open = rss_kb(cfg.pid);
    windows[0].name = "main";
    windows[0].before = usage(cfg.pid);
    usleep((useconds_t)(cfg.seconds * 1e6));
    windows[0].after = usage(cfg.pid);
}

static const struct { const char *name; void (*run)(void); } modes[] = {
    {"echo", run_echo}, {"idle", run_idle}, {"churn", run_churn}, {"parked", run_parked}};

/* ---- in and out ---------------------------------------------------------------------------------------------- */

static void print_window(const Window *w) {
    double tick = 1e9 / (double)sysconf(_SC_CLK_TCK);
    printf("\"%s\": {\"messages\": %" PRIu64 ", \"seconds\": %.6f, \"server_ns\": %" PRIu64 ", \"user_ns\": %.0f, "
           "\"sys_ns\": %.0f, \"load_ns\": %" PRIu64 ", \"waited_ns\": %" PRIu64 ", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.2f}",
           w->name, w->latency.total, (double)(w->after.wall - w->before.wall) / 1e9, w->after.server - w->before.server,
           (double)(w->after.user_ticks - w->before.user_ticks) * tick,
           (double)(w->after.sys_ticks - w->before.sys_ticks) * tick, w->after.load - w->before.load,
           w->after.waited - w->before.waited,
           (double)hist_quantile(&w->latency, 0.5) / 1e3, (double)hist_quantile(&w->latency, 0.99) / 1e3,
           (double)hist_quantile(&w->latency, 0.999) / 1e3, (double)w->latency.max / 1e3);
}

static void print_json_string(const char *s) {
    putchar('"');
    for (; *s != 0; s++)
        if (*s == '"' || *s == '\\') printf("\\%c", *s);
        else if ((unsigned char)*s < 32) printf("\\u%04x", *s);
        else putchar(*s);
    putchar('"');
}

static void print_result(const char *mode) {
    printf("{\"mode\": \"%s\", \"conns\": %d, \"idle\": %d, \"size\": %zu, \"errors\": %d, \"error\": ", mode, cfg.conns,
           cfg.idle, cfg.size, errors);
    print_json_string(first_error);
    printf(", \"rss_kb\": {\"base\": %ld, \"open\": %ld, \"spoken\": %ld}, \"windows\": {", rss_base, rss_open, rss_spoken);
    for (int i = 0; i < 2 && windows[i].name != NULL; i++) {
        if (i > 0) printf(", ");
        print_window(&windows[i]);
    }
    printf("}}\n");
}

static void parse(int argc, char **argv) {
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *key = argv[i];
        double value = atof(argv[i + 1]);
        if (strcmp(key, "--port") == 0) cfg.port = (int)value;
        else if (strcmp(key, "--pid") == 0) cfg.pid = (pid_t)value;
        else if (strcmp(key, "--conns") == 0) cfg.conns = (int)value;
        else if (strcmp(key, "--idle") == 0) cfg.idle = (int)value;
        else if (strcmp(key, "--size") == 0) cfg.size = (size_t)value;
        else if (strcmp(key, "--seconds") == 0) cfg.seconds = value;
        else if (strcmp(key, "--warmup") == 0) cfg.warmup = value;
        else if (strcmp(key, "--sources") == 0) cfg.sources = (int)value;
        else if (strcmp(key, "--calm") == 0) cfg.calm = value;
        else if (strcmp(key, "--patience") == 0) cfg.patience = value;
        else { fprintf(stderr, "load: unknown option %s\n", key); exit(2); }
    }
    if (cfg.port <= 0 || cfg.pid <= 0 || cfg.conns < 1 || cfg.idle < 0 || cfg.size < 1) {
        fprintf(stderr, "load: --port, --pid, --conns, --idle or --size is missing or wrong\n");
        exit(2);
    }
}

static void prepare(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if ((rlim_t)(cfg.conns + cfg.idle + 16) > limit.rlim_cur) {
        errno = EMFILE;
        die("open file limit");
    }
    signal(SIGPIPE, SIG_IGN);
    message = malloc(cfg.size);
    scratch = malloc(cfg.size);
    conns = calloc((size_t)(cfg.conns + cfg.idle), sizeof *conns);
    if (message == NULL || scratch == NULL || conns == NULL) die("malloc");
    for (size_t i = 0; i < cfg.size; i++) message[i] = (char)(i * 31 + i / 251 + 7);   /* no period that fits a buffer */
    epfd = epoll_create1(EPOLL_CLOEXEC);
    if (epfd < 0) die("epoll_create1");
}

int main(int argc, char **argv) {
    void (*run)(void) = NULL;
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].name) == 0) run = modes[i].run;
    if (run == NULL) {
        fprintf(stderr, "usage: load echo|idle|churn|parked --port P --pid SERVER [--conns N] [--size B] [--idle M] ...\n");
        return 2;
    }
    parse(argc, argv);
    prepare();
    prime();
    rss_base = rss_kb(cfg.pid);
    if (errors == 0) run();
    close_all();
    print_result(argv[1]);
    return 0;
}
