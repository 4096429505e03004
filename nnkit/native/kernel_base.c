/* The kernel for any processor that the compiler builds for. */
#define TARGET base
#include "kernel.h"
