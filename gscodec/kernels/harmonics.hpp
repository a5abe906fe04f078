// (5.10) Higher spherical harmonics: the number of coded groups per splat, then coefficients in the KLT domain.
#pragma once
#include <cfloat>

#include "attributes.hpp"

namespace gsc {

inline float round_once(i64 x, double unit) {  // |x| < 2^53: exact as a double, and so is the product
  const float f = static_cast<float>(static_cast<double>(x) * unit);
  return f > FLT_MAX ? FLT_MAX : f < -FLT_MAX ? -FLT_MAX : f;
}

constexpr i32 kHarmonicsMax = 65535;
constexpr u32 kMaxComponents = 45;

struct HarmonicsLayout {
  u32 coefficients;  // 3, 8 or 15
  u32 groups;        // NG
  u32 bounds[9];     // bounds[g]: slots covered by g groups; bounds[0] = 0

  u32 components() const { return 3 * coefficients; }
};

// The same sum as `predict`, with a width the compiler can unroll.
template <u32 Width>
inline void predict_fixed(const u16* w, const i32* rec, u32 i, i32* out) {
  i32 sum[Width];
  for (u32 k = 0; k < Width; ++k) sum[k] = 2048;
  const u32 window = std::min(kWindow, i);
  for (u32 j = 0; j < window; ++j) {
    const i32 weight = w[j];
    if (weight == 0) continue;
    const i32* row = rec + std::size_t(i - 1 - j) * Width;
    for (u32 k = 0; k < Width; ++k) sum[k] += weight * row[k];
  }
  for (u32 k = 0; k < Width; ++k) out[k] = sum[k] >> 12;
}
GSC_CLONES static void predict_45(const u16* w, const i32* rec, u32 i, i32* out) { predict_fixed<45>(w, rec, i, out); }
GSC_CLONES static void predict_24(const u16* w, const i32* rec, u32 i, i32* out) { predict_fixed<24>(w, rec, i, out); }
GSC_CLONES static void predict_9(const u16* w, const i32* rec, u32 i, i32* out) { predict_fixed<9>(w, rec, i, out); }

inline void predict_harmonics(const Side& side, const i32* rec, u32 i, u32 width, i32* out) {
  if (!side.weights)
    std::fill_n(out, width, 0);
  else if (width == 45)
    predict_45(side.weights + std::size_t(i) * kWindow, rec, i, out);
  else if (width == 24)
    predict_24(side.weights + std::size_t(i) * kWindow, rec, i, out);
  else
    predict_9(side.weights + std::size_t(i) * kWindow, rec, i, out);
}

inline u32 group_context(const Side& side, const HarmonicsLayout& layout, u32 i, u32 previous) {
  return (side.klass[i] * 6u + side.bucket_of(i)) * (layout.groups + 1) + previous;
}

// Reads the groups stream, or (encoding) writes the given numbers.
template <class Coder>
void walk_groups(Coder& c, const Side& side, const HarmonicsLayout& layout, u8* groups) {
  u32 previous = 0;
  for (u32 i = 0; i < side.n; ++i) {
    const u32 g = c.symbol(i, group_context(side, layout, i, previous), Coder::encoding ? groups[i] : 0);
    if (g > layout.groups) return c.fail(Status::symbol);
    groups[i] = static_cast<u8>(previous = g);
  }
}

// ideal: n x components in units of base step / 64; rec: n x components. Encoding fills `groups` as it goes.
template <class Coder>
void walk_coefficients(Coder& c, const Side& side, const HarmonicsLayout& layout, u8* groups, const float* ideal,
                       double dead_zone, i32* rec) {
  const u32 width = layout.components();
  i32 p[kMaxComponents], q[kMaxComponents];
  for (u32 i = 0; i < side.n; ++i) {
    const i32 m = side.multiplier[side.klass[i]];
    i32* r = rec + std::size_t(i) * width;
    predict_harmonics(side, rec, i, width, p);
    if constexpr (Coder::encoding) {
      u32 used = 0;
      const float* want = ideal + std::size_t(i) * width;
      for (u32 j = 0; j < width; ++j) {
        q[j] = residual(want[j], p[j], m, kHarmonicsMax);
        if ((q[j] == 1 || q[j] == -1) && std::abs(want[j] - p[j]) < dead_zone * m && std::abs(p[j]) <= kHarmonicsMax)
          q[j] = 0;
        if (q[j]) used = j / 3 + 1;
      }
      u32 g = 0;
      while (layout.bounds[g] < used) ++g;
      groups[i] = static_cast<u8>(g);
    }
    const u32 g = groups[i];
    const u32 coded = g ? 3 * layout.bounds[g] : 0;
    const u32 row = g ? ((g - 1) * side.classes + side.klass[i]) * layout.coefficients : 0;
    for (u32 j = 0; j < coded; ++j) q[j] = c.integer(48 * i + j, row + j / 3, Coder::encoding ? q[j] : 0);
    if (c.failed()) return;
    u32 bad = 0;
    for (u32 j = 0; j < coded; ++j) {
      const i64 value = p[j] + i64(q[j]) * m;
      bad |= !in_range(value, kHarmonicsMax);
      r[j] = static_cast<i32>(value);
    }
    for (u32 j = coded; j < width; ++j) {
      bad |= p[j] > kHarmonicsMax || p[j] < -kHarmonicsMax;
      r[j] = p[j];
    }
    if (bad) return c.fail(Status::range);
  }
}

struct HarmonicsBasis {
  u32 coefficients;
  const i16* s;       // coefficients x coefficients, or null for the identity
  const u8* perm;     // 3 x coefficients, or null
  const i32* c;       // 3 x 3
  i32 exponent;       // value = integer * 2^(exponent - 6)
};

// (6.6) One splat's binary32 coefficients, [coefficient][channel].
template <u32 K>
inline void harmonics_values(const HarmonicsBasis& b, const i32* rec, float* out) {
  i32 y[3][K], z[3][K];
  for (u32 j = 0; j < 3 * K; ++j) {
    const u32 at = b.perm ? b.perm[j] : j;
    y[at % 3][at / 3] = rec[j];
  }
  if (b.s) {
    for (u32 ch = 0; ch < 3; ++ch) {
      i32 sum[K];
      for (u32 o = 0; o < K; ++o) sum[o] = 4096;
      for (u32 k = 0; k < K; ++k) {
        const i32 yk = y[ch][k];
        if (yk == 0) continue;
        const i16* row = b.s + k * K;
        for (u32 o = 0; o < K; ++o) sum[o] += yk * row[o];
      }
      for (u32 o = 0; o < K; ++o) z[ch][o] = sum[o] >> 13;
    }
  } else {
    std::memcpy(z, y, sizeof y);
  }
  const double unit = std::ldexp(1.0, b.exponent - 6);
  for (u32 o = 0; o < K; ++o)
    for (u32 k = 0; k < 3; ++k) {
      const i64 x = i64(b.c[3 * k]) * z[0][o] + i64(b.c[3 * k + 1]) * z[1][o] + i64(b.c[3 * k + 2]) * z[2][o];
      out[o * 3 + k] = round_once(x, unit);
    }
}
GSC_CLONES static void harmonics_values_15(const HarmonicsBasis& b, const i32* r, float* o) { harmonics_values<15>(b, r, o); }
GSC_CLONES static void harmonics_values_8(const HarmonicsBasis& b, const i32* r, float* o) { harmonics_values<8>(b, r, o); }
GSC_CLONES static void harmonics_values_3(const HarmonicsBasis& b, const i32* r, float* o) { harmonics_values<3>(b, r, o); }

}  // namespace gsc
