/* The floor: what the kernel alone costs.
 *
 * A server that does nothing but epoll_wait, recv and send of the same bytes: those of a file, read at the start, or
 * without one those that it has received. It looks at no request, so it answers anything; no server that is asked over a
 * socket, one request at a time, can need less. How far another server is from it is the part of its cost that its own
 * code can still save.
 *
 * usage: floor [REPLY-FILE]      prints http://127.0.0.1:PORT/ when it is listening
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, READ_SIZE = 64 * 1024 };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static char *slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail(path);
    long length = ftell(file);
    if (length < 0) fail(path);
    rewind(file);
    char *bytes = malloc(length ? (size_t)length : 1);
    if (!bytes || fread(bytes, 1, (size_t)length, file) != (size_t)length) fail(path);
    fclose(file);
    *size = (size_t)length;
    return bytes;
}

static int listening(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)) fail("socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1024)) fail("listen");
    if (getsockname(fd, (struct sockaddr *)&address, &size)) fail("getsockname");
    printf("http://127.0.0.1:%d/\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int poller, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

/* The kernel's buffer takes what one read can hold, as long as the client reads what it asks for. */
static int answer(int fd, const char *reply, size_t size)
{
    static char request[READ_SIZE];
    ssize_t count = recv(fd, request, sizeof request, 0);
    if (count <= 0) return 0;
    if (!reply) reply = request, size = (size_t)count;
    return send(fd, reply, size, MSG_NOSIGNAL) == (ssize_t)size;
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS];
    size_t size = 0;

    if (argc > 2) {
        fprintf(stderr, "usage: floor [REPLY-FILE]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    char *reply = argc > 1 ? slurp(argv[1], &size) : NULL;
    int listener = listening(), poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1");
    watch(poller, listener);

    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int on = 1, client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (client < 0) continue;
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                watch(poller, client);
            } else if (!answer(fd, reply, size)) {
                close(fd); /* closing takes it out of the epoll: nobody else holds this socket */
            }
        }
    }
}
