/* The client for what wrk cannot do: connections that are closed after one reply, and replies too large to be copied.
 *
 * It keeps CONNECTIONS connections busy for SECONDS, each with one request at a time: the bytes of REQUEST-FILE. A reply
 * counts when it is whole: the status that was expected, and as many bytes as its Content-Length says. With "close" each
 * reply must be followed by the end of its connection, and the next request comes over a new one, from the next of the
 * addresses 127.0.0.2 to 127.0.0.251: tens of thousands of closed connections wait out their minute (TIME_WAIT), and
 * one address has only 28,000 ports. With "keep" a connection goes on. The bodies are dropped inside the kernel
 * (MSG_TRUNC, tcp(7)), so that a large reply costs this client next to nothing and the server is what is measured; that
 * they are the right bytes is looked at before and after.
 *
 * usage: http_load PORT CONNECTIONS SECONDS STATUS keep|close REQUEST-FILE
 *        prints "N requests in U us, B bytes, E errors, R refused"
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
    MOST_SECONDS = 600,
    MOST_ERRORS = 1000, /* then it gives up: a server that refuses would be asked in a tight loop */
    MOST_HEAD = 16 << 10,
    MOST_REQUEST = 64 << 10,
    DROP_SIZE = 1 << 20,
    FIRST_ADDRESS = 2,
    ADDRESSES = 250,
    EVENTS = 512,
    PATIENCE = 10 /* seconds to connect or to send */
};

struct connection {
    int fd;
    int in_body;     /* the head is whole */
    int over;        /* the reply is whole, and the end of the connection is what is waited for */
    size_t had;      /* bytes of the head so far */
    long long left;  /* bytes of the body to come */
    char head[MOST_HEAD + 1];
};

static char request[MOST_REQUEST];
static size_t request_size;
static int port, status, closing, poller;
static unsigned long long replies, bytes, errors, refused, dialled;

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

static int ask(struct connection *one)
{
    one->in_body = one->over = 0;
    one->had = 0;
    return send(one->fd, request, request_size, MSG_NOSIGNAL) == (ssize_t)request_size;
}

/* Over loopback the handshake is done when connect returns, so there is nothing to gain from not waiting for it. */
static int dial(struct connection *one)
{
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons((unsigned short)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    struct timeval patience = {.tv_sec = PATIENCE};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    int on = 1;

    own.sin_addr.s_addr = htonl((127U << 24) + FIRST_ADDRESS + (unsigned)(dialled++ % ADDRESSES));
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one->fd < 0) fail("socket");
    setsockopt(one->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(one->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on); /* the port is chosen by connect */
    if (bind(one->fd, (struct sockaddr *)&own, sizeof own)) fail("bind");
    return !connect(one->fd, (struct sockaddr *)&server, sizeof server) && ask(one) &&
           !epoll_ctl(poller, EPOLL_CTL_ADD, one->fd, &event);
}

static void dial_anew(struct connection *one)
{
    if (one->fd >= 0) close(one->fd);
    while (!dial(one)) {
        close(one->fd);
        one->fd = -1;
        if (++errors >= MOST_ERRORS) return;
    }
}

static void drop(struct connection *one)
{
    if (++errors < MOST_ERRORS) dial_anew(one);
}

static void finish(struct connection *one)
{
    replies++;
    if (closing)
        one->over = 1;
    else if (!ask(one))
        drop(one);
}

/* What follows from a head: the status, and how long the body is. Returns 0 when it is not as it should be. */
static int understand(struct connection *one, size_t head_size)
{
    char *length = strcasestr(one->head, "\r\nContent-Length:");
    if (strncmp(one->head, "HTTP/1.", 7) || (!length && status != 304)) return 0;
    if (atoi(one->head + 9) != status) refused++;
    one->left = status == 304 ? 0 : atoll(length + 17);
    one->left -= (long long)(one->had - head_size);
    one->in_body = 1;
    return one->left >= 0;
}

static void pull(struct connection *one)
{
    static char end[1];
    ssize_t count;
    if (one->over) {
        if (recv(one->fd, end, sizeof end, MSG_DONTWAIT) == 0)
            dial_anew(one);
        else
            drop(one); /* more than the reply, or a reset instead of an end */
        return;
    }
    if (one->in_body)
        count = recv(one->fd, NULL, (size_t)(one->left < DROP_SIZE ? one->left : DROP_SIZE), MSG_DONTWAIT | MSG_TRUNC);
    else
        count = recv(one->fd, one->head + one->had, MOST_HEAD - one->had, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
        drop(one);
        return;
    }
    bytes += (unsigned long long)count;
    if (one->in_body) {
        one->left -= count;
    } else {
        one->had += (size_t)count;
        one->head[one->had] = 0;
        char *blank = strstr(one->head, "\r\n\r\n");
        if (!blank && one->had < MOST_HEAD) return;
        if (blank) *blank = 0; /* nothing of a body is taken for a field */
        if (!blank || !understand(one, (size_t)(blank - one->head) + 4)) {
            drop(one);
            return;
        }
    }
    if (!one->left) finish(one);
}

static void read_request(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    request_size = fread(request, 1, sizeof request, file);
    fclose(file);
}

int main(int argc, char **argv)
{
    static struct connection many[MOST_CONNECTIONS];
    static struct epoll_event events[EVENTS];

    if (argc != 7) {
        fprintf(stderr, "usage: http_load PORT CONNECTIONS SECONDS STATUS keep|close REQUEST-FILE\n");
        return 2;
    }
    int connections = atoi(argv[2]);
    double seconds = atof(argv[3]);
    port = atoi(argv[1]), status = atoi(argv[4]), closing = !strcmp(argv[5], "close");
    if (connections < 1 || connections > MOST_CONNECTIONS || !(seconds > 0) || seconds > MOST_SECONDS ||
        (!closing && strcmp(argv[5], "keep"))) {
        fprintf(stderr, "http_load: out of bounds\n");
        return 2;
    }
    read_request(argv[6]);
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1");

    double begin = now(), end = begin + seconds, time = begin;
    for (int i = 0; i < connections; i++) {
        many[i].fd = -1;
        dial_anew(&many[i]);
    }
    while (time < end && errors < MOST_ERRORS) {
        int ready = epoll_wait(poller, events, EVENTS, (int)((end - time) * 1000) + 1);
        for (int i = 0; i < ready && errors < MOST_ERRORS; i++) pull(events[i].data.ptr);
        time = now();
    }
    printf("%llu requests in %.0f us, %llu bytes, %llu errors, %llu refused\n", replies, (time - begin) * 1e6, bytes,
           errors, refused);
    return 0;
}
