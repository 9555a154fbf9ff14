#pragma once
// libc's declarations come from one module, CSystem: included here as well, a structure like
// sockaddr_in would belong to whichever module the compiler met first. It also has to precede the
// kernel's headers, which then leave out what libc has declared.
#include "../CSystem/shim.h"
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>

// libc's socket types and flags are enums, which Swift can't combine.
static const int imgate_netlink_flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
static const int imgate_raw_type = SOCK_RAW | SOCK_CLOEXEC;

// glibc's address parameter is a transparent union, which Swift sees as a structure of pointers.
static inline ssize_t imgate_sendto(
    int fd, const void *bytes, size_t count, const void *address, size_t address_size) {
  return sendto(
      fd, bytes, count, MSG_DONTWAIT, (const struct sockaddr *)address, (socklen_t)address_size);
}
