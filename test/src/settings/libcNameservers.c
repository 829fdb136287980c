/* What libc makes of this machine's resolv.conf: its nameservers, those of a link with the number of their scope, and
 * how it goes through them. */
#include <arpa/inet.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) != 0)
        return 1;
    for (int i = 0; i < state.nscount; i++) {
        char text[INET6_ADDRSTRLEN];
        const struct sockaddr_in6 *v6 = state._u._ext.nsaddrs[i];
        if (state.nsaddr_list[i].sin_family == AF_INET) {
            printf("%s ", inet_ntop(AF_INET, &state.nsaddr_list[i].sin_addr, text, sizeof text));
        } else if (v6) {
            printf("%s", inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text));
            printf(IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) ? "%%%u " : " ", v6->sin6_scope_id);
        }
    }
    printf("%d %d%s%s\n", state.retrans, state.retry, state.options & RES_ROTATE ? " rotate" : "",
           state.options & RES_USEVC ? " use-vc" : "");
    return 0;
}
