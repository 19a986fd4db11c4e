// Counts this process' heap allocations.
#pragma once

/// How many times malloc, calloc, realloc and aligned_alloc were called so far, on all threads.
unsigned long allocation_count(void);
