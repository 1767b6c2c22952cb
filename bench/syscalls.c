/* What each system call costs by itself: those that one request, or one connection, is made of.
 *
 * Both ends of the connections are here, over loopback. Only the server's calls are timed, one by one, between two readings
 * of the clock whose own cost is taken off; what the client does in between is not. A send over loopback delivers to the
 * other end before it returns, so its cost is that of both directions of TCP. Each line is one call: the median of ROUNDS
 * and the quarters around it, in nanoseconds.
 *
 * usage: syscalls FOLDER ROUNDS      FOLDER has a file "small" of 1 KiB and a file "large" of 1 MiB
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    CROWD = 64,
    HEAD = 77,      /* bytes of a request */
    REPLY = 1276,   /* and of the reply, with its 1 KiB */
    LARGE_HEAD = 258, /* the head of the reply that a large file follows */
    READ_SIZE = 64 * 1024,
    SLICE = 256 * 1024,
    LARGE = 1 << 20,
    EVENTS = 512,
    MOST_ROUNDS = 100000
};

enum call {
    EMPTY, WAIT_1, WAIT_64, RECV, SEND, RECV_NOTHING, RECV_END, ACCEPT, ACCEPT_NOBODY, NOBODY, NAME, NON_BLOCKING, WATCH, CHANGE, UNWATCH,
    CLOSE, SEND_LAST, CLOSE_LAST, WAITING, STAT, OPEN, STAT_OPEN, READ_FILE, CLOSE_FILE, SEND_HEAD, READ_NOW, ADVISE, CORK, SENDFILE,
    UNCORK, CALLS
};

static const char *const names[CALLS] = {
    [WAIT_1] = "epoll_wait, one is ready",
    [WAIT_64] = "epoll_wait, 64 are ready",
    [RECV] = "recv, 77 bytes",
    [SEND] = "send, 1276 bytes",
    [RECV_NOTHING] = "recv, nothing there",
    [RECV_END] = "recv, the end",
    [ACCEPT] = "accept4",
    [ACCEPT_NOBODY] = "accept4, nobody there",
    [NOBODY] = "poll of a listener, nobody there",
    [NAME] = "getsockname",
    [NON_BLOCKING] = "ioctl FIONBIO",
    [WATCH] = "epoll_ctl ADD",
    [CHANGE] = "epoll_ctl MOD",
    [UNWATCH] = "epoll_ctl DEL",
    [CLOSE] = "close, a socket whose client has left",
    [SEND_LAST] = "send, 1276 bytes, more to come",
    [CLOSE_LAST] = "close, a socket that has bytes to send",
    [WAITING] = "ioctl FIONREAD",
    [STAT] = "fstatat, a file in a folder",
    [OPEN] = "openat",
    [STAT_OPEN] = "fstat",
    [READ_FILE] = "preadv2 RWF_NOWAIT, 1 KiB",
    [CLOSE_FILE] = "close, a file",
    [SEND_HEAD] = "send, 258 bytes, more to come",
    [READ_NOW] = "preadv2 RWF_NOWAIT, 1 byte",
    [ADVISE] = "fadvise",
    [CORK] = "setsockopt TCP_CORK, on",
    [SENDFILE] = "sendfile, 256 KiB",
    [UNCORK] = "setsockopt TCP_CORK, off",
};

static long long *samples[CALLS];
static int counts[CALLS], rounds, stream_buffer = 4 * SLICE;
static char scratch[LARGE];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void keep(enum call call, long long nanoseconds)
{
    if (counts[call] < rounds) samples[call][counts[call]++] = nanoseconds;
}

/* The value of EXPRESSION, which is timed and fails when it is not what was WANTED. */
#define TIMED(call, wanted, expression)                 \
    do {                                                \
        long long begun = now();                        \
        long long got = (long long)(expression);        \
        long long over = now();                         \
        if (got != (long long)(wanted)) fail(names[call]); \
        keep(call, over - begun);                       \
    } while (0)

static int listening(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)address, size) || listen(fd, 1024)) fail("listen");
    if (getsockname(fd, (struct sockaddr *)address, &size)) fail("getsockname");
    return fd;
}

static int dial(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address)) fail("connect");
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) fail("TCP_NODELAY");
    return fd;
}

static void take(int fd, size_t size)
{
    if (recv(fd, scratch, size, MSG_WAITALL) != (ssize_t)size) fail("recv");
}

static struct epoll_event input(int fd)
{
    return (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
}

/* A connection's beginning and end; in between the descriptor is watched and unwatched. */
static void connections(int listener, const struct sockaddr_in *address, int poller)
{
    struct sockaddr_in name;
    for (int i = 0; i < rounds; i++) {
        int client = dial(address), one = -1, on = 1;
        long long begun = now();
        one = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        long long over = now();
        if (one < 0) fail("accept4");
        keep(ACCEPT, over - begun);
        TIMED(ACCEPT_NOBODY, -1, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        struct pollfd newcomers = {.fd = listener, .events = POLLIN};
        TIMED(NOBODY, 0, poll(&newcomers, 1, 0));
        socklen_t size = sizeof name;
        TIMED(NAME, 0, getsockname(one, (struct sockaddr *)&name, &size));
        TIMED(NON_BLOCKING, 0, ioctl(one, FIONBIO, &on));
        TIMED(RECV_NOTHING, -1, recv(one, scratch, READ_SIZE, 0));
        struct epoll_event event = input(one);
        TIMED(WATCH, 0, epoll_ctl(poller, EPOLL_CTL_ADD, one, &event));
        event.events = EPOLLOUT;
        TIMED(CHANGE, 0, epoll_ctl(poller, EPOLL_CTL_MOD, one, &event));
        close(client);
        TIMED(RECV_END, 0, recv(one, scratch, READ_SIZE, 0));
        TIMED(UNWATCH, 0, epoll_ctl(poller, EPOLL_CTL_DEL, one, NULL));
        TIMED(CLOSE, 0, close(one));

        client = dial(address);
        one = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (one < 0) fail("accept4");
        TIMED(SEND_LAST, REPLY, send(one, scratch, REPLY, MSG_NOSIGNAL | MSG_MORE));
        int left;
        TIMED(WAITING, 0, ioctl(one, FIONREAD, &left));
        TIMED(CLOSE_LAST, 0, close(one));
        take(client, REPLY);
        close(client);
    }
}

/* Requests of `many` clients at a time, each of which is answered. */
static void requests(int listener, const struct sockaddr_in *address, int many, enum call waiting)
{
    static struct epoll_event events[EVENTS];
    int clients[CROWD], ours[CROWD], poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1");
    for (int i = 0; i < many; i++) {
        clients[i] = dial(address);
        ours[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct epoll_event event = input(ours[i]);
        if (ours[i] < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, ours[i], &event)) fail("accept4");
    }
    for (int i = 0; i < rounds / many; i++) {
        for (int j = 0; j < many; j++)
            if (send(clients[j], scratch, HEAD, 0) != HEAD) fail("send");
        TIMED(waiting, many, epoll_wait(poller, events, EVENTS, -1));
        for (int j = 0; j < many; j++) {
            TIMED(RECV, HEAD, recv(events[j].data.fd, scratch, READ_SIZE, 0));
            TIMED(SEND, REPLY, send(events[j].data.fd, scratch, REPLY, MSG_NOSIGNAL));
        }
        for (int j = 0; j < many; j++) take(clients[j], REPLY);
    }
    for (int i = 0; i < many; i++) close(clients[i]), close(ours[i]);
    close(poller);
}

static void files(const char *folder, int listener, const struct sockaddr_in *address)
{
    struct stat found;
    int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), large = openat(root, "large", O_RDONLY | O_CLOEXEC);
    int client = dial(address), one = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (root < 0 || large < 0 || one < 0) fail(folder);
    /* Room for a whole slice at both ends: what is timed is the handing over, not the waiting for the client. */
    if (setsockopt(one, SOL_SOCKET, SO_SNDBUF, &stream_buffer, sizeof stream_buffer)) fail("SO_SNDBUF");
    for (int i = 0; i < rounds; i++) {
        TIMED(STAT, 0, fstatat(root, "small", &found, AT_SYMLINK_NOFOLLOW));
        long long begun = now();
        int fd = openat(root, "small", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        long long over = now();
        if (fd < 0) fail("openat");
        keep(OPEN, over - begun);
        TIMED(STAT_OPEN, 0, fstat(fd, &found));
        struct iovec whole = {.iov_base = scratch, .iov_len = 1025}, byte = {.iov_base = scratch, .iov_len = 1};
        TIMED(READ_FILE, 1024, preadv2(fd, &whole, 1, 0, RWF_NOWAIT));
        TIMED(CLOSE_FILE, 0, close(fd));
        int on = 1, off = 0;
        TIMED(SEND_HEAD, LARGE_HEAD, send(one, scratch, LARGE_HEAD, MSG_NOSIGNAL | MSG_MORE));
        TIMED(READ_NOW, 1, preadv2(large, &byte, 1, LARGE - 1, RWF_NOWAIT));
        TIMED(ADVISE, 0, posix_fadvise(large, 0, 0, POSIX_FADV_RANDOM));
        TIMED(CORK, 0, setsockopt(one, IPPROTO_TCP, TCP_CORK, &on, sizeof on));
        off_t offset = (off_t)(i % 4) * SLICE;
        begun = now();
        ssize_t sent = sendfile(one, large, &offset, SLICE);
        over = now();
        if (sent <= 0) fail("sendfile");
        if (sent == SLICE) keep(SENDFILE, over - begun);
        TIMED(UNCORK, 0, setsockopt(one, IPPROTO_TCP, TCP_CORK, &off, sizeof off));
        take(client, LARGE_HEAD + (size_t)sent);
    }
    close(client), close(one), close(large), close(root);
}

static int by_size(const void *left, const void *right)
{
    long long a = *(const long long *)left, b = *(const long long *)right;
    return (a > b) - (a < b);
}

static long long part(enum call call, int of_four)
{
    long long found = samples[call][(long long)(counts[call] - 1) * of_four / 4];
    return call == EMPTY ? found : found - part(EMPTY, 2);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    if (argc != 3 || (rounds = atoi(argv[2])) < 4 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: syscalls FOLDER ROUNDS\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < CALLS; i++)
        if (!(samples[i] = malloc(sizeof **samples * (size_t)rounds))) fail("malloc");
    for (int i = 0; i < rounds; i++) TIMED(EMPTY, 0, 0);
    int listener = listening(&address), poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1");
    requests(listener, &address, CROWD, WAIT_64);
    requests(listener, &address, 1, WAIT_1);
    connections(listener, &address, poller);
    files(argv[1], listener, &address);
    for (int i = 0; i < CALLS; i++) {
        if (!counts[i]) continue;
        qsort(samples[i], (size_t)counts[i], sizeof **samples, by_size);
        if (names[i]) printf("%lld %lld %lld %s\n", part(i, 2), part(i, 1), part(i, 3), names[i]);
    }
    return 0;
}
