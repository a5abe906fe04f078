// (5.5) The predictor: weights of up to 16 predecessors that look alike.
#pragma once
#include <algorithm>
#include <bit>

#include "rans.hpp"
#include "tables.hpp"

#if defined(__x86_64__) && defined(__GNUC__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__)
#define GSC_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define GSC_CLONES
#endif

namespace gsc {

constexpr u32 kWindow = 16;
constexpr i32 kCap = (1 << 24) - 1;

// A distance attribute: three component arrays of n values, weight k, shift s.
struct DistanceTerm {
  const i32* component[3];
  i32 k;
  i32 s;
};

struct PredictorSet {
  u32 window;  // W, 0..16
  u32 p;
  u32 shrink[6];
  u32 thresholds[5];
};

// Per splat: 16 weights (w[j] belongs to predecessor j+1), bucket, nearest predecessor (0 = none).
GSC_CLONES static void distance_codes(const DistanceTerm* terms, u32 count, u32 i, i32* codes) {
  i32 v[kWindow];
  for (u32 j = 0; j < kWindow; ++j) v[j] = 8;
  for (u32 t = 0; t < count; ++t) {
    const DistanceTerm& a = terms[t];
    const i32* x = a.component[0] + i - kWindow;
    const i32* y = a.component[1] + i - kWindow;
    const i32* z = a.component[2] + i - kWindow;
    const i32 xi = a.component[0][i], yi = a.component[1][i], zi = a.component[2][i];
    for (u32 j = 0; j < kWindow; ++j) {  // j counts from the farthest here
      const i32 dx = x[j] > xi ? x[j] - xi : xi - x[j];
      const i32 dy = y[j] > yi ? y[j] - yi : yi - y[j];
      const i32 dz = z[j] > zi ? z[j] - zi : zi - z[j];
      const i32 top = std::max(dx, std::max(dy, dz));
      const i32 length = top + ((dx + dy + dz - top) >> 1);
      v[j] += std::min(kCap, (length * a.k) >> a.s);
    }
  }
  for (u32 j = 0; j < kWindow; ++j) {
    // a value under 2^24 is exact as a float: exponent and top three fraction bits are the code
    const float f = static_cast<float>(std::min(kCap, v[j]));
    codes[kWindow - 1 - j] = static_cast<i32>(std::bit_cast<u32>(f) >> 20) - ((127 + 3) << 3);
  }
}

// Arrays are padded: kWindow readable values lie before component[k][0].
static void predictor_weights(const DistanceTerm* terms, u32 count, const PredictorSet& set, u32 n, u16* weights,
                              u8* bucket, u8* nearest) {
  i32 codes[kWindow];
  for (u32 i = 0; i < n; ++i) {
    u16* w = weights + std::size_t(i) * kWindow;
    const u32 window = std::min(set.window, i);
    if (window == 0) {
      std::fill_n(w, kWindow, u16(0));
      bucket[i] = set.window ? 5 : 0;
      nearest[i] = 0;
      continue;
    }
    distance_codes(terms, count, i, codes);
    i32 m = codes[0];
    u32 best = 0;
    for (u32 j = 1; j < window; ++j)
      if (codes[j] < m) {
        m = codes[j];
        best = j;
      }
    u32 b = 0;
    while (b < 5 && static_cast<i32>(set.thresholds[b]) <= m) ++b;
    u32 u[kWindow] = {};
    u32 sum = 0;
    for (u32 j = 0; j < window; ++j) {
      const u32 x = set.p * static_cast<u32>(codes[j] - m);
      u[j] = x < 104 ? kWeights[x] : 0;
      sum += u[j];
    }
    const u32 r = (set.shrink[b] << 20) / sum;
    for (u32 j = 0; j < kWindow; ++j) w[j] = static_cast<u16>((u[j] * r + 32768) >> 16);
    bucket[i] = static_cast<u8>(b);
    nearest[i] = static_cast<u8>(best + 1);
  }
}

// (5.5) P = (2048 + sum w_j rec_{i-j}) >> 12 for `width` components of row i; rows before the first count as zero.
inline void predict(const u16* w, const i32* rec, u32 i, u32 width, i32* out) {
  for (u32 k = 0; k < width; ++k) out[k] = 2048;
  const u32 window = std::min(kWindow, i);
  for (u32 j = 0; j < window; ++j) {
    const i32 weight = w[j];
    if (weight == 0) continue;
    const i32* row = rec + std::size_t(i - 1 - j) * width;
    for (u32 k = 0; k < width; ++k) out[k] += weight * row[k];
  }
  for (u32 k = 0; k < width; ++k) out[k] >>= 12;
}

inline u32 level(i64 v) {  // lg(v) of clause 5.6
  if (v < 2) return static_cast<u32>(v);
  const int n = std::bit_width(static_cast<u64>(v)) - 1;
  return std::min<u32>(15, 2 * n + ((v >> (n - 1)) & 1));
}

inline i64 floor_div(i64 a, i64 b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

}  // namespace gsc
