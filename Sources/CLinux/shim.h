// What a reactor asks of Linux, and what Swift's own module of the C library leaves out. Each call that is wrapped here answers what the
// system's does, or -errno; those that a signal interrupts are made again.
#pragma once
#ifdef __linux__
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLINUX_RETRIED(call)                   \
    ({                                         \
        ssize_t result;                        \
        do {                                   \
            result = (call);                   \
        } while (result < 0 && errno == EINTR); \
        result < 0 ? -errno : result;          \
    })

static inline ssize_t clinux_receive(int socket, void *_Nonnull bytes, size_t count) {
    return CLINUX_RETRIED(recv(socket, bytes, count, 0));
}

static inline ssize_t clinux_send(int socket, const void *_Nonnull bytes, size_t count) {
    return CLINUX_RETRIED(send(socket, bytes, count, MSG_NOSIGNAL));
}

// A connection that is waiting, non-blocking, and sent without delay.
static inline int clinux_accept(int listener) {
    int one = 1;
    int socket = (int)CLINUX_RETRIED(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket >= 0) setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return socket;
}

// A socket that is bound and listened on.
static inline int clinux_listen(const struct sockaddr *_Nonnull address, socklen_t length, int backlog) {
    int one = 1;
    int socket_ = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return -errno;
    // [::] is every address, whatever the system's default is.
    int off = 0;
    if (address->sa_family == AF_INET6) setsockopt(socket_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 || bind(socket_, address, length) < 0
        || listen(socket_, backlog) < 0) {
        int reason = errno;
        close(socket_);
        return -reason;
    }
    return socket_;
}

// The port that a socket is bound to, or -errno.
static inline int clinux_port(int socket) {
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    if (getsockname(socket, (struct sockaddr *)&address, &length) < 0) return -errno;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return -EAFNOSUPPORT;
}

static inline int clinux_close(int descriptor) { return close(descriptor) < 0 ? -errno : 0; }

static inline int clinux_poller(void) { return (int)CLINUX_RETRIED(epoll_create1(EPOLL_CLOEXEC)); }

// Told by `clinux_ring`, until `clinux_hush`.
static inline int clinux_bell(void) { return (int)CLINUX_RETRIED(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

static inline void clinux_ring(int bell) {
    uint64_t one = 1;
    (void)CLINUX_RETRIED(write(bell, &one, sizeof(one)));
}

static inline void clinux_hush(int bell) {
    uint64_t count;
    (void)CLINUX_RETRIED(read(bell, &count, sizeof(count)));
}

// Watches a descriptor for what can be read, under a number of the caller's below 2^63; reported for as long as it is there.
static inline int clinux_watch(int poller, int descriptor, uint64_t number) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = number}};
    return (int)CLINUX_RETRIED(epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event));
}

// The same, but reported once, when it comes: whoever hears of it reads all that there is, to the end where CLINUX_ENDS is set in the number.
static inline int clinux_watch_edges(int poller, int descriptor, uint64_t number) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.u64 = number}};
    return (int)CLINUX_RETRIED(epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event));
}

// In a number that is reported: the other side says no more.
static const uint64_t CLINUX_ENDS = (uint64_t)1 << 63;

static inline int clinux_unwatch(int poller, int descriptor) {
    struct epoll_event event = {0};
    return (int)CLINUX_RETRIED(epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, &event));
}

// How many of the watched have something, at most `maximum`, and their numbers; waits so many milliseconds for the first.
static inline int clinux_wait(
    int poller, struct epoll_event *_Nonnull room, uint64_t *_Nonnull numbers, int maximum, int milliseconds) {
    int count = epoll_wait(poller, room, maximum, milliseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        bool ends = room[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
        numbers[i] = room[i].data.u64 | (ends ? CLINUX_ENDS : 0);
    }
    return count;
}
#endif
