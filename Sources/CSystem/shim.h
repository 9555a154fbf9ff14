#pragma once
// No shim defines _GNU_SOURCE: the toolchain's own Glibc module, which tests bring in, does without,
// and modules that differ in it clash on fd_set and others. What only _GNU_SOURCE declares is
// declared below.
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <fcntl.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Declared by glibc and musl under _GNU_SOURCE alone; as in pipe(2), accept(2), setns(2) and
// pthread_setname_np(3).
int pipe2(int ends[2], int flags);
int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags);
int setns(int fd, int type);
int pthread_setname_np(pthread_t thread, const char *name);

// `errno` is a macro over a function: Swift sees it through these.
static inline int imgate_errno(void) { return errno; }
static inline void imgate_set_errno(int value) { errno = value; }

// Variadic in libc, which Swift can't call.
static inline int imgate_open(const char *path, int flags, mode_t mode) {
  return open(path, flags | O_CLOEXEC, mode);
}
static inline int imgate_fcntl(int fd, int command, int value) { return fcntl(fd, command, value); }

// Macros with casts or function syntax.
static inline bool imgate_exited(int status) { return WIFEXITED(status); }
static inline int imgate_exit_status(int status) { return WEXITSTATUS(status); }
static inline int imgate_term_signal(int status) { return WTERMSIG(status); }

// SIG_IGN is a cast. A write to a closed pipe or socket then fails with EPIPE.
static inline void imgate_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

// getopt_long's results are globals, which Swift 6 refuses to touch. Only the parser of the command
// line calls these, from the main thread. `optind = 0` makes the GNU version start anew.
static inline void imgate_getopt_start(void) { optind = 0; opterr = 0; }
static inline const char *imgate_getopt_argument(void) { return optarg; }
static inline int imgate_getopt_next(void) { return optind; }
static inline int imgate_getopt_letter(void) { return optopt; }

// glibc's socket calls take a transparent union for the address, which Swift can't make.
static inline int imgate_bind_unix(int fd, const struct sockaddr_un *address, socklen_t size) {
  return bind(fd, (const struct sockaddr *)address, size);
}
static inline int imgate_connect_unix(int fd, const struct sockaddr_un *address, socklen_t size) {
  return connect(fd, (const struct sockaddr *)address, size);
}
static inline ssize_t imgate_send_unix(int fd, const void *bytes, size_t count,
                                       const struct sockaddr_un *address, socklen_t size) {
  return sendto(fd, bytes, count, MSG_NOSIGNAL, (const struct sockaddr *)address, size);
}
static inline int imgate_accept(int fd) {
  return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

// glibc's connect() takes a transparent union, which Swift can't call with an address of any family.
static inline int imgate_connect(int fd, const void *address, socklen_t size) {
  return connect(fd, (const struct sockaddr *)address, size);
}
