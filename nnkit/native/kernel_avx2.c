/* The kernel for x86-64 processors with AVX2. */
#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#elif defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("avx2,fma")
#endif
#define TARGET avx2
#include "kernel.h"
#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif
