// Chapter 6: integers to binary32. Every value is an exact integer times a power of two, rounded once.
#pragma once
#include <algorithm>
#include <cfloat>
#include <vector>

#include "clones.hpp"
#include "rans.hpp"
#include "tables.hpp"

namespace gsc {

// (6.1) An integer, |x| < 2^53, times a power of two: exact until the last step. Zero has no sign in integers.
inline float round_once(double x, double unit) {
  return std::clamp(static_cast<float>((x + 0.0) * unit), -FLT_MAX, FLT_MAX);
}

inline i64 scaled(i64 rec, i64 step) { return (rec * step + 2048) >> 12; }  // Q26 step of 1/64 units -> Q20

// (6.3)
inline i64 log_scale_q20(i64 rec, i64 step, i64 offset, bool dilated, i64 ln_tau) {
  const i64 u = offset + scaled(rec, step);
  if (!dilated) return u;
  const i64 d = u - ln_tau;
  if (d <= 0) return u + kDilation[0];
  if (d >= (i64(8) << 20)) return u;
  const i64 j = d >> 15, fraction = d & 32767;
  return u + kDilation[j] + (((kDilation[j + 1] - kDilation[j]) * fraction + 16384) >> 15);
}

// (6.5)
inline i64 logit_q20(i64 rec, i64 step, i64 offset) {
  const i64 t = std::clamp<i64>(offset + scaled(rec, step), -(i64(4) << 20), 94208);
  const i64 y = t + (i64(4) << 20), j = y >> 12, fraction = y & 4095;
  return kLogit[j] + (((kLogit[j + 1] - kLogit[j]) * fraction + 2048) >> 12);
}

// (6.2) Four splats at a time: twelve coordinates, so that every place has its own origin.
GSC_HOT static void position_rows(const i32* x, const i64* origin, u32 mantissa, double unit, std::size_t n, float* out) {
  constexpr std::size_t kStep = 12;
  double start[kStep];
  for (std::size_t k = 0; k < kStep; ++k) start[k] = static_cast<double>(2 * origin[k % 3]);
  const double m = mantissa;
  std::size_t i = 0;
  for (; i + kStep <= 3 * n; i += kStep)
    for (std::size_t k = 0; k < kStep; ++k) out[i + k] = round_once((start[k] + x[i + k]) * m, unit);
  for (std::size_t k = 0; i + k < 3 * n; ++k) out[i + k] = round_once((start[k] + x[i + k]) * m, unit);
}

// Values that depend on one rec each, in Q20. They repeat a lot: a small cache saves computing them.
template <u32 Width, class Value>
void value_rows(const i32* rec, const u32* source, std::size_t n, float* out, Value&& value) {
  const auto exact = [&](i32 r) { return round_once(static_cast<double>(value(r)), 0x1p-20); };
  constexpr std::size_t kKnown = 1 << 12;  // slots, each for the recs that are alike in their low bits
  struct Known {
    i32 rec;
    float value;
  };
  std::vector<Known> known(kKnown, Known{0, exact(0)});
  for (std::size_t i = 0; i < n; ++i)
    for (u32 k = 0; k < Width; ++k) {
      const i32 r = rec[std::size_t(source[i]) * Width + k];
      Known& slot = known[(static_cast<u32>(r) ^ static_cast<u32>(r) >> 6) % kKnown];
      if (slot.rec != r) slot = {r, exact(r)};
      out[i * Width + k] = slot.value;
    }
}

// (6.4)
GSC_HOT static void rotation_rows(const i32* q, const u32* source, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i)
    for (u32 k = 0; k < 4; ++k) out[i * 4 + k] = round_once(q[std::size_t(source[i]) * 4 + k], 0x1p-24);
}

// (6.6)
GSC_HOT static void colour_rows(const i32* rec, const u32* source, std::size_t n, const i64* offset, const i64* mantissa,
                                double unit, float* out) {
  double o[3], m[3];
  for (int k = 0; k < 3; ++k) o[k] = static_cast<double>(offset[k]), m[k] = static_cast<double>(mantissa[k]);
  for (std::size_t i = 0; i < n; ++i) {
    const i32* r = rec + std::size_t(source[i]) * 3;
    const double y = (o[0] + r[0]) * m[0], co = (o[1] + r[1]) * m[1], cg = (o[2] + r[2]) * m[2];
    out[i * 3] = round_once(2 * y - cg + co, unit);
    out[i * 3 + 1] = round_once(2 * y + cg, unit);
    out[i * 3 + 2] = round_once(2 * y - cg - co, unit);
  }
}

struct HarmonicsBasis {
  const i16* s;     // coefficients x coefficients, or null for the identity
  const u8* perm;   // 3 x coefficients, or null
  const i32* c;     // 3 x 3
  double unit;      // value = integer * unit
};

// (6.7) The binary32 coefficients of `n` splats, [coefficient][channel]. Blocks of splats side by side make every loop
// one over consecutive integers; the products of `Terms` coefficients are added at a time, to spare loads and stores.
template <u32 K, u32 Terms>
inline void harmonics_rows(const HarmonicsBasis& b, const i32* rec, const u32* source, std::size_t n, float* out) {
  static_assert(K % Terms == 0);
  constexpr u32 kSide = 8;
  i32 s[K][K] = {};
  u16 place[3 * K];  // where the component j of the block's first splat is in y
  for (u32 j = 0; j < 3 * K; ++j) {
    const u32 at = b.perm ? b.perm[j] : j;
    place[j] = static_cast<u16>((at % 3 * K + at / 3) * kSide);
  }
  if (b.s)
    for (u32 k = 0; k < K; ++k)
      for (u32 o = 0; o < K; ++o) s[k][o] = b.s[k * K + o];
  double c[9];
  for (int k = 0; k < 9; ++k) c[k] = b.c[k];
  i32 y[3 * K * kSide] = {}, z[3 * K][kSide];
  float value[3][kSide];
  for (std::size_t first = 0; first < n; first += kSide) {
    const u32 rows = static_cast<u32>(std::min<std::size_t>(kSide, n - first));
    for (u32 i = 0; i < rows; ++i) {
      const i32* r = rec + std::size_t(source[first + i]) * 3 * K;
      for (u32 j = 0; j < 3 * K; ++j) y[place[j] + i] = r[j];
    }
    if (b.s) {
      for (u32 ch = 0; ch < 3; ++ch)
        for (u32 o = 0; o < K; ++o) {
          i32 sum[kSide];
          for (u32 i = 0; i < kSide; ++i) sum[i] = 4096;
          for (u32 k = 0; k < K; k += Terms) {
            const i32* yk = y + (ch * K + k) * kSide;
            for (u32 i = 0; i < kSide; ++i) {
              i32 terms = 0;
              for (u32 t = 0; t < Terms; ++t) terms += yk[t * kSide + i] * s[k + t][o];
              sum[i] += terms;
            }
          }
          for (u32 i = 0; i < kSide; ++i) z[ch * K + o][i] = sum[i] >> 13;
        }
    } else {
      std::memcpy(z, y, sizeof y);
    }
    for (u32 o = 0; o < K; ++o) {
      for (u32 i = 0; i < kSide; ++i) {  // sums of integers under 2^53: exact
        const double z0 = z[o][i], z1 = z[K + o][i], z2 = z[2 * K + o][i];
        value[0][i] = static_cast<float>((c[0] * z0 + c[1] * z1 + c[2] * z2 + 0.0) * b.unit);
        value[1][i] = static_cast<float>((c[3] * z0 + c[4] * z1 + c[5] * z2 + 0.0) * b.unit);
        value[2][i] = static_cast<float>((c[6] * z0 + c[7] * z1 + c[8] * z2 + 0.0) * b.unit);
      }
      if (b.unit > 0x1p80)  // else |sum| < 2^41 cannot leave the range
        for (u32 ch = 0; ch < 3; ++ch)
          for (u32 i = 0; i < kSide; ++i) value[ch][i] = std::clamp(value[ch][i], -FLT_MAX, FLT_MAX);
      float* to = out + (first * K + o) * 3;
      for (u32 i = 0; i < rows; ++i)
        for (u32 ch = 0; ch < 3; ++ch) to[i * 3 * K + ch] = value[ch][i];
    }
  }
}
GSC_HOT static void harmonics_rows_15(const HarmonicsBasis& b, const i32* rec, const u32* source, std::size_t n, float* out) {
  harmonics_rows<15, 5>(b, rec, source, n, out);
}
GSC_HOT static void harmonics_rows_8(const HarmonicsBasis& b, const i32* rec, const u32* source, std::size_t n, float* out) {
  harmonics_rows<8, 4>(b, rec, source, n, out);
}
GSC_HOT static void harmonics_rows_3(const HarmonicsBasis& b, const i32* rec, const u32* source, std::size_t n, float* out) {
  harmonics_rows<3, 3>(b, rec, source, n, out);
}

}  // namespace gsc
