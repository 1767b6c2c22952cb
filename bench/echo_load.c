/* The client of the echo measurement: the same for every server, and quicker than any of them.
 *
 * It opens CONNECTIONS connections, keeps DEPTH messages of SIZE bytes in flight on each, and for SECONDS counts those
 * that have come back whole. Whatever the server is written in, it meets the same system calls at the same times.
 * That the bytes are the right ones is looked at on the first message of each connection; comparing each of them would
 * make this program the slower one.
 *
 * usage: echo_load PORT CONNECTIONS SIZE SECONDS [DEPTH]      prints "N messages in S s, E errors"
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

enum {
    MOST_CONNECTIONS = 4096,
    MOST_SIZE = 16 << 20,
    MOST_SECONDS = 600,
    MOST_DEPTH = 64,
    EVENTS = 512,
    READ_SIZE = 256 << 10, /* a client that reads little at a time keeps the server's window shut */
    CONNECT_TIME = 10
};

struct connection {
    int fd;
    unsigned watched;               /* what the epoll was asked for */
    unsigned long long allowed;     /* bytes that may have been sent by now: whole messages */
    unsigned long long sent, received;
};

static char *messages_sent, *scratch; /* DEPTH + 1 messages in a row, so that a send may begin anywhere in one */
static size_t size, depth = 1;
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
    one->allowed = depth * size;
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

/* Send what may be in flight, as far as the kernel takes it. */
static void push(struct connection *one)
{
    size_t left = (size_t)(one->allowed - one->sent);
    if (left) {
        ssize_t count = send(one->fd, messages_sent + one->sent % size, left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN) {
            drop(one);
            return;
        }
        if (count > 0) one->sent += (unsigned long long)count;
    }
    watch(one, one->sent < one->allowed ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void pull(struct connection *one)
{
    ssize_t count = recv(one->fd, scratch, READ_SIZE < size ? size : READ_SIZE, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    size_t had = count > 0 && one->received < size ? (size_t)(size - one->received) : 0; /* of the first message */
    if (had > (size_t)count) had = (size_t)count;
    if (count <= 0 || one->received + (unsigned long long)count > one->sent ||
        (had && memcmp(scratch, messages_sent + one->received, had))) {
        drop(one);
        return;
    }
    unsigned long long whole = one->received / size;
    one->received += (unsigned long long)count;
    whole = one->received / size - whole;
    if (whole) {
        messages += whole;
        one->allowed += whole * size;
        push(one);
    }
}

int main(int argc, char **argv)
{
    static struct connection many[MOST_CONNECTIONS];
    static struct epoll_event events[EVENTS];

    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: echo_load PORT CONNECTIONS SIZE SECONDS [DEPTH]\n");
        return 2;
    }
    int port = atoi(argv[1]), connections = atoi(argv[2]);
    size = (size_t)atol(argv[3]);
    double seconds = atof(argv[4]);
    if (argc == 6) depth = (size_t)atol(argv[5]);
    if (connections < 1 || connections > MOST_CONNECTIONS || size < 1 || size > MOST_SIZE || !(seconds > 0) ||
        seconds > MOST_SECONDS || depth < 1 || depth > MOST_DEPTH) {
        fprintf(stderr, "echo_load: out of bounds\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    messages_sent = malloc((depth + 1) * size);
    scratch = malloc(READ_SIZE < size ? size : READ_SIZE);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!messages_sent || !scratch || poller < 0) fail("echo_load");
    for (size_t i = 0; i < (depth + 1) * size; i++) messages_sent[i] = (char)(i % size * 31 + i % size / 251);
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
