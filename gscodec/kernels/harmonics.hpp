// (5.12) Higher spherical harmonics: the number of coded groups per splat, then coefficients in the KLT domain.
#pragma once
#include "attributes.hpp"

namespace gsc {

constexpr i32 kHarmonicsMax = 65535;
constexpr i32 kMostSteps = 1 << 17;  // 64 or more each: more would leave the range from any prediction
constexpr u32 kMaxComponents = 45;
constexpr u32 kStride = 48;  // of value numbers from splat to splat

struct HarmonicsLayout {
  u32 coefficients;  // 3, 8 or 15
  u32 groups;        // NG
  u32 bounds[9];     // bounds[g]: slots covered by g groups; bounds[0] = 0

  u32 components() const { return 3 * coefficients; }
};

// The components of the last 16 splats, in rows of whole vectors; splat i is in row i % 16, rows of none are zero.
struct History {
  static constexpr u32 kRow = 48;
  i32 rows[kWindow][kRow] = {};

  void push(u32 i, const i32* rec, u32 width) { std::copy_n(rec, width, rows[i % kWindow]); }
};

// The same sum as `predict` for every component of splat i; four splats at a time, to spare loads and stores.
template <u32 Row>
inline void predict_row(const u16* w, const History& history, u32 i, i32* out) {
  for (u32 k = 0; k < Row; ++k) out[k] = 2048;
  for (u32 t = 0; t < kWindow; t += 4) {
    const i32 *a = history.rows[(i + t) % kWindow], *b = history.rows[(i + t + 1) % kWindow],
              *c = history.rows[(i + t + 2) % kWindow], *d = history.rows[(i + t + 3) % kWindow];
    const i32 wa = w[t], wb = w[t + 1], wc = w[t + 2], wd = w[t + 3];
    GSC_NO_ALIAS
    for (u32 k = 0; k < Row; ++k) out[k] += (wa * a[k] + wb * b[k]) + (wc * c[k] + wd * d[k]);
  }
  for (u32 k = 0; k < Row; ++k) out[k] >>= 12;
}
// `out` has room for a row of the history.
inline void predict_harmonics(const Side& side, const History& history, u32 i, u32 width, i32* out) {
  if (!side.similar) {
    std::fill_n(out, width, 0);
    return;
  }
  const u16* w = side.similar->weights.get() + std::size_t(i) * kWindow;
  width > 24 ? predict_row<48>(w, history, i, out) : predict_row<24>(w, history, i, out);
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
// choose(i, ideal, p, q) gives the residuals q of splat i, predicted as p, and the number of its groups.
template <class Coder, class Choice>
void walk_coefficients(Coder& c, const Side& side, const HarmonicsLayout& layout, u8* groups, const float* ideal,
                       const Choice& choose, i32* rec) {
  const u32 width = layout.components();
  History history;
  i32 p[History::kRow], q[kMaxComponents];
  for (u32 i = 0; i < side.n; ++i) {
    const i32 m = side.step[side.klass[i]];
    i32* r = rec + std::size_t(i) * width;
    predict_harmonics(side, history, i, width, p);
    if constexpr (Coder::encoding)
      groups[i] = static_cast<u8>(choose(i, i ? groups[i - 1] : 0, ideal + std::size_t(i) * width, p, q));
    const u32 g = groups[i];
    const u32 coded = g ? 3 * layout.bounds[g] : 0;
    const u32 row = g ? ((g - 1) * side.classes + side.klass[i]) * layout.coefficients : 0;
    for (u32 j = 0; j < coded; ++j) q[j] = c.integer(kStride * i + j, row + j / 3, Coder::encoding ? q[j] : 0);
    if (c.failed()) return;
    u32 bad = 0;
    for (u32 j = 0; j < coded; ++j) {
      const i32 steps = std::clamp(q[j], -kMostSteps, kMostSteps), value = p[j] + steps * m;
      bad |= (steps != q[j]) | (value > kHarmonicsMax) | (value < -kHarmonicsMax);
      r[j] = value;
    }
    for (u32 j = coded; j < width; ++j) {
      bad |= (p[j] > kHarmonicsMax) | (p[j] < -kHarmonicsMax);
      r[j] = p[j];
    }
    if (bad) return c.fail(Status::range);
    history.push(i, r, width);
  }
}

}  // namespace gsc
