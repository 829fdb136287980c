/* This network namespace's interface addresses, asked of the kernel as glibc asks: for AI_ADDRCONFIG, where loopback
 * addresses do not count, and for sorting. */
#include "lookup.h"
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES 8192
#define ADDRESSES_STEP 16

static bool keep_address(struct interfaces *interfaces, const struct nlmsghdr *message) {
    const struct ifaddrmsg *header = NLMSG_DATA(message);
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof *header) ||
        (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
        return true;
    bool v4 = header->ifa_family == AF_INET;
    size_t left = message->nlmsg_len - NLMSG_LENGTH(sizeof *header), bytes = v4 ? 4 : 16;
    const uint8_t *found = NULL;
    for (const struct rtattr *attribute = IFA_RTA(header); RTA_OK(attribute, left);
         attribute = RTA_NEXT(attribute, left)) {
        if (RTA_PAYLOAD(attribute) < bytes)
            continue;
        if (attribute->rta_type == IFA_ADDRESS || (attribute->rta_type == IFA_LOCAL && !found))
            found = RTA_DATA(attribute);
        if (attribute->rta_type == IFA_ADDRESS)
            break;
    }
    if (!found)
        return true;

    struct interface_address address = {.index = header->ifa_index, .prefix_bits = header->ifa_prefixlen};
    address.deprecated = header->ifa_flags & (IFA_F_DEPRECATED | IFA_F_OPTIMISTIC);
    address.home = header->ifa_flags & IFA_F_HOMEADDRESS;
    if (v4)
        address.address[10] = address.address[11] = 0xff;
    memcpy(address.address + (v4 ? 12 : 0), found, bytes);
    static const uint8_t v4_loopback[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1}, v6_loopback[16] = {[15] = 1};
    if (memcmp(address.address, v4 ? v4_loopback : v6_loopback, 16) != 0)
        *(v4 ? &interfaces->has_v4 : &interfaces->has_v6) = true;

    if (interfaces->count % ADDRESSES_STEP == 0) {
        size_t room = interfaces->count + ADDRESSES_STEP;
        struct interface_address *larger = realloc(interfaces->addresses, room * sizeof *larger);
        if (!larger)
            return false;
        interfaces->addresses = larger;
    }
    interfaces->addresses[interfaces->count++] = address;
    return true;
}

static bool read_addresses(int fd, uint8_t *buffer, struct interfaces *interfaces) {
    struct {
        struct nlmsghdr header;
        struct rtgenmsg body;
    } request = {.header = {.nlmsg_len = sizeof request,
                            .nlmsg_type = RTM_GETADDR,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                            .nlmsg_seq = 1}};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel) != (ssize_t)sizeof request)
        return false;
    for (;;) {
        struct sockaddr_nl from;
        struct iovec part = {.iov_base = buffer, .iov_len = BUFFER_BYTES};
        struct msghdr whole = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
        ssize_t got = recvmsg(fd, &whole, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || whole.msg_flags & MSG_TRUNC)
            return false;
        if (from.nl_pid != 0) /* not the kernel */
            continue;
        size_t left = (size_t)got;
        for (const struct nlmsghdr *message = (const void *)buffer; NLMSG_OK(message, left);
             message = NLMSG_NEXT(message, left)) {
            if (message->nlmsg_type == NLMSG_DONE)
                return true;
            if (message->nlmsg_type == NLMSG_ERROR)
                return false;
            if (message->nlmsg_type == RTM_NEWADDR && !keep_address(interfaces, message))
                return false;
        }
    }
}

void interfaces_read(struct interfaces *interfaces) {
    *interfaces = (struct interfaces){.lasting = true};
    errno = 0;
    uint8_t *buffer = malloc(BUFFER_BYTES); /* too much for a small stack */
    int fd = buffer ? socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) : -1;
    bool good = fd >= 0 && read_addresses(fd, buffer, interfaces), lasting = good || is_lasting(errno);
    if (fd >= 0)
        close(fd);
    free(buffer);
    if (!good) { /* as glibc: who cannot know assumes both */
        interfaces_end(interfaces);
        *interfaces = (struct interfaces){.has_v4 = true, .has_v6 = true, .lasting = lasting};
    }
}

void interfaces_end(struct interfaces *interfaces) {
    free(interfaces->addresses);
}
