// hiredis as a wire format only: the reply reader and the command formatter, which are the same in 0.14 and 1.x.
#include <hiredis/hiredis.h>
