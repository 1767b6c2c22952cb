/* The client of the echo measurement: the same for every server, and quicker than any of them.
 *
 * It opens CONNECTIONS connections, keeps exactly one message of SIZE bytes in flight on each, and for SECONDS counts
 * those that have come back whole. Whatever the server is written in, it meets the same system calls at the same times.
 * That the bytes are the right ones is looked at on the first message of each connection; comparing each of them would
 * make this program the slower one.
 *
 * usage: echo_load PORT CONNECTIONS SIZE SECONDS      prints "N messages in S s, E errors"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 4096, MOST_SIZE = 16 << 20, MOST_SECONDS = 600, EVENTS = 512, CONNECT_TIME = 10 };

struct connection {
    int fd;
    int compare;            /* this message is the first one */
    unsigned watched;       /* what the epoll was asked for */
    size_t sent, received;  /* bytes of the message in flight */
};

static char *message, *scratch;
static size_t size;
static int poller;
static unsigned long long messages, errors;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void dial(struct connection *one, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = CONNECT_TIME};
    int on = 1;
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one->fd < 0) fail("socket");
    setsockopt(one->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(one->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    one->compare = 1;
    one->watched = EPOLLIN;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, one->fd, &event)) fail("epoll_ctl");
}

static void drop(struct connection *one)
{
    errors++;
    close(one->fd);
    one->fd = -1;
}

static void watch(struct connection *one, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = one};
    if (events == one->watched) return;
    one->watched = events;
    if (epoll_ctl(poller, EPOLL_CTL_MOD, one->fd, &event)) fail("epoll_ctl");
}

/* Send what is left of the message, as far as the kernel takes it. */
static void push(struct connection *one)
{
    ssize_t count = send(one->fd, message + one->sent, size - one->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) {
        drop(one);
        return;
    }
    if (count > 0) one->sent += (size_t)count;
    watch(one, one->sent < size ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void pull(struct connection *one)
{
    ssize_t count = recv(one->fd, scratch, size, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0 || one->received + (size_t)count > one->sent ||
        (one->compare && memcmp(scratch, message + one->received, (size_t)count))) {
        drop(one);
        return;
    }
    one->received += (size_t)count;
    if (one->received == size) {
        messages++;
        one->compare = 0;
        one->sent = one->received = 0;
        push(one);
    }
}

int main(int argc, char **argv)
{
    static struct connection many[MOST_CONNECTIONS];
    static struct epoll_event events[EVENTS];

    if (argc != 5) {
        fprintf(stderr, "usage: echo_load PORT CONNECTIONS SIZE SECONDS\n");
        return 2;
    }
    int port = atoi(argv[1]), connections = atoi(argv[2]);
    size = (size_t)atol(argv[3]);
    double seconds = atof(argv[4]);
    if (connections < 1 || connections > MOST_CONNECTIONS || size < 1 || size > MOST_SIZE || !(seconds > 0) ||
        seconds > MOST_SECONDS) {
        fprintf(stderr, "echo_load: out of bounds\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    message = malloc(size);
    scratch = malloc(size);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!message || !scratch || poller < 0) fail("echo_load");
    for (size_t i = 0; i < size; i++) message[i] = (char)(i * 31 + i / 251);
    for (int i = 0; i < connections; i++) dial(&many[i], port);

    double begin = now(), end = begin + seconds, time = begin;
    for (int i = 0; i < connections; i++) push(&many[i]);
    while (time < end) {
        int ready = epoll_wait(poller, events, EVENTS, (int)((end - time) * 1000) + 1);
        for (int i = 0; i < ready; i++) {
            struct connection *one = events[i].data.ptr;
            if (one->fd >= 0 && events[i].events & ~EPOLLOUT) pull(one);
            if (one->fd >= 0 && events[i].events & EPOLLOUT) push(one);
        }
        time = now();
    }
    printf("%llu messages in %.6f s, %llu errors\n", messages, time - begin, errors);
    return 0;
}
