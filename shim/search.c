/* What is known of a question, from wherever it is known. */
#include "lookup.h"

/* True: the reply holds a sound answer for each family. In either case the reply has to be ended. */
bool find(struct question *question, uint8_t families, struct reply *reply) {
    return table_find(question, families, reply) || ask(question, families, reply);
}
