/* The floor: a bare epoll loop in C, with no runtime and no error handling to speak of.  Nobody's rival; it
 * shows how much of each message is the kernel's own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, EVENTS = 256 };

int main(int argc, char **argv) {
    size_t size = argc > 2 ? (size_t)atol(argv[2]) : 64;
    char *buf = malloc(size);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int one = 1, ln = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
    setsockopt(ln, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (buf == NULL || bind(ln, (struct sockaddr *)&addr, len) < 0 || listen(ln, BACKLOG) < 0) return 1;
    getsockname(ln, (struct sockaddr *)&addr, &len);
    struct epoll_event events[EVENTS], ev = {.events = EPOLLIN, .data.fd = ln};
    epoll_ctl(ep, EPOLL_CTL_ADD, ln, &ev);
    printf("ready %d\n", ntohs(addr.sin_port));
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(ep, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == ln) {
                while ((fd = accept4(ln, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    ev.events = EPOLLIN | EPOLLRDHUP;
                    ev.data.fd = fd;
                    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
                }
                continue;
            }
            ssize_t n = recv(fd, buf, size, 0);
            if (n == 0) close(fd);
            for (ssize_t sent = 0; sent < n;) {     /* spins while the socket is full; the clients here never let that last */
                ssize_t m = send(fd, buf + sent, (size_t)(n - sent), MSG_NOSIGNAL);
                if (m > 0) sent += m;
            }
        }
    }
}
