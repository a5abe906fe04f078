// Functions that gain from AVX2 are built twice, and the processor decides when the module is loaded; elsewhere they are
// built once. GSC_CLONES is for plain loops; GSC_HOT also takes in whatever they call.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__)
#define GSC_CLONES [[maybe_unused]] __attribute__((target_clones("avx2", "default")))
#define GSC_HOT [[maybe_unused]] __attribute__((target_clones("avx2", "default"), flatten))
#else
#define GSC_CLONES [[maybe_unused]]
#define GSC_HOT [[maybe_unused]]
#endif

// Before a loop whose stores are to arrays of its own: compilers cannot always tell.
#if defined(__GNUC__) && !defined(__clang__)
#define GSC_NO_ALIAS _Pragma("GCC ivdep")
#elif defined(__clang__)
#define GSC_NO_ALIAS _Pragma("clang loop vectorize(assume_safety)")
#else
#define GSC_NO_ALIAS
#endif
