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

// What a writer knows of the cost of symbols: bits of each group number and of each token, by context.
struct HarmonicsCosts {
  static constexpr u32 kTokens = 64;
  const float* groups;        // contexts x (NG + 1), or null: no costs known
  const float* coefficients;  // contexts x kTokens
  float lambda;               // squared steps that a bit is worth
  float dead_zone;            // without costs: a residual of one step is dropped under so many steps

  float bits(u32 context, i32 q) const {
    const u32 z = zigzag(q);
    if (z < 16) return coefficients[context * kTokens + z];
    const u32 n = static_cast<u32>(std::bit_width(z)) - 1;
    const u32 token = 16 + ((n - 4) << 2) + ((z >> (n - 2)) & 3);
    return coefficients[context * kTokens + std::min(token, kTokens - 1)] + static_cast<float>(n - 2);
  }
};

// Residuals of one splat, and how many groups they need: rounding, or the cheapest of error + lambda * bits.
class HarmonicsChoice {
 public:
  HarmonicsChoice(const Side& side, const HarmonicsLayout& layout, const HarmonicsCosts& costs)
      : side_(side), layout_(layout), costs_(costs), width_(layout.components()) {}

  u32 choose(u32 i, u32 previous, const float* ideal, const i32* p, i32* q) const {
    const i32 m = side_.step[side_.klass[i]];
    i32 nearest[kMaxComponents];
    float off[kMaxComponents];
    bool forced = false;
    for (u32 j = 0; j < width_; ++j) {
      nearest[j] = residual(ideal[j], p[j], m, kHarmonicsMax);
      off[j] = (ideal[j] - static_cast<float>(p[j])) / static_cast<float>(m);
      forced |= p[j] > kHarmonicsMax || p[j] < -kHarmonicsMax;
    }
    if (!costs_.groups || forced) {
      for (u32 j = 0; j < width_; ++j) {
        const bool small = (nearest[j] == 1 || nearest[j] == -1) && std::abs(off[j]) < costs_.dead_zone && !forced;
        q[j] = small ? 0 : nearest[j];
      }
      return groups_for(q);
    }
    const u32 most = groups_for(nearest);
    double tail[9];  // error of leaving out everything from group g on
    double rest = 0;
    for (u32 j = width_; j-- > 3 * layout_.bounds[most];) rest += double(off[j]) * off[j];
    tail[most] = rest;
    for (u32 g = most; g-- > 0;) {
      for (u32 j = 3 * layout_.bounds[g]; j < 3 * layout_.bounds[g + 1]; ++j) rest += double(off[j]) * off[j];
      tail[g] = rest;
    }
    const float* group_bits = costs_.groups + group_context(side_, layout_, i, previous) * (layout_.groups + 1);
    double best = costs_.lambda * group_bits[0] + tail[0];
    u32 chosen = 0;
    std::fill_n(q, width_, 0);
    i32 trial[kMaxComponents];
    for (u32 g = 1; g <= most; ++g) {
      const u32 coded = 3 * layout_.bounds[g];
      const u32 row = ((g - 1) * side_.classes + side_.klass[i]) * layout_.coefficients;
      double total = costs_.lambda * group_bits[g] + tail[g];
      for (u32 j = 0; j < coded && total < best; ++j) total += pick(row + j / 3, off[j], nearest[j], &trial[j]);
      if (total < best) {
        best = total;
        chosen = g;
        std::copy_n(trial, coded, q);
      }
    }
    std::fill(q + 3 * layout_.bounds[chosen], q + width_, 0);
    return chosen;
  }

 private:
  const Side& side_;
  const HarmonicsLayout& layout_;
  const HarmonicsCosts& costs_;
  u32 width_;

  u32 groups_for(const i32* q) const {
    u32 used = 0, g = 0;
    for (u32 j = 0; j < width_; ++j)
      if (q[j]) used = j / 3 + 1;
    while (layout_.bounds[g] < used) ++g;
    return g;
  }
  double pick(u32 context, float off, i32 nearest, i32* q) const {
    const auto cost = [&](i32 k) { return double(off - k) * (off - k) + costs_.lambda * costs_.bits(context, k); };
    double best = cost(*q = nearest);
    if (nearest == 0) return best;
    const i32 inner = nearest > 0 ? nearest - 1 : nearest + 1;
    if (const double c = cost(inner); c < best) best = c, *q = inner;
    if (inner != 0)
      if (const double c = cost(0); c < best) best = c, *q = 0;
    return best;
  }
};

// ideal: n x components in units of base step / 64; rec: n x components. Encoding fills `groups` as it goes.
template <class Coder>
void walk_coefficients(Coder& c, const Side& side, const HarmonicsLayout& layout, u8* groups, const float* ideal,
                       const HarmonicsCosts& costs, i32* rec) {
  const u32 width = layout.components();
  const HarmonicsChoice choice(side, layout, costs);
  History history;
  i32 p[History::kRow], q[kMaxComponents];
  for (u32 i = 0; i < side.n; ++i) {
    const i32 m = side.step[side.klass[i]];
    i32* r = rec + std::size_t(i) * width;
    predict_harmonics(side, history, i, width, p);
    if constexpr (Coder::encoding)
      groups[i] = static_cast<u8>(choice.choose(i, i ? groups[i - 1] : 0, ideal + std::size_t(i) * width, p, q));
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
