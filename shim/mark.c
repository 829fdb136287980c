/* Which table and which frames this library reads, for whoever finds an old one in a process: doctor/ reads it. */
#include "lookup.h"

#define TEXT_OF(number) #number
#define MARK(layout, frames) "namewell client: table layout " TEXT_OF(layout) ", frames " TEXT_OF(frames)

__attribute__((used)) static const char mark[] = MARK(NW_LAYOUT_VERSION, NW_FRAME_VERSION);
