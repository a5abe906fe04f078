// (5.7) The predictor: weights of up to 16 predecessors that look alike.
#pragma once
#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "clones.hpp"
#include "rans.hpp"
#include "tables.hpp"

namespace gsc {

// Quotients are formed as doubles: for integers under 2^53 the rounded quotient has the floor of the exact one.
static_assert(std::numeric_limits<double>::is_iec559);

constexpr u32 kWindow = 16;
constexpr i32 kCap = (1 << 24) - 1;

constexpr u32 kBlock = 32;  // splats side by side: loops over them are of fixed length and without branches

// An integer of every splat. Those before the first and, for whole blocks, behind the last can be read too, as zero.
class Plane {
 public:
  explicit Plane(std::size_t n) : values_(kWindow + n + kBlock) {}
  i32* data() { return values_.data() + kWindow; }
  const i32* data() const { return values_.data() + kWindow; }

 private:
  std::vector<i32> values_;
};

// A distance attribute: three component planes, factor k, shift s.
struct DistanceTerm {
  const i32* component[3];
  i32 k;
  i32 s;
};

struct PredictorSet {
  u32 window;  // W, 1 to 16
  u32 power;
  u32 shrink[6];
  u32 thresholds[5];
};

// What a predictor set finds. weights[16 i + t] belongs to splat i - 16 + t: the order in which the splats stand.
struct Similar {
  std::size_t n;
  std::unique_ptr<u16[]> weights;
  std::unique_ptr<u8[]> bucket;
  std::unique_ptr<u8[]> nearest;  // how many splats before; 0: none

  explicit Similar(std::size_t n_)
      : n(n_), weights(new u16[n * kWindow]), bucket(new u8[n]), nearest(new u8[n]) {}
};

// TW of clause 5.7; the last entry stands for all beyond. 16 bits, too, so that no compiler makes a gather of its use:
// many processors are slower with one.
struct Weights {
  static constexpr i32 kLast = 104;
  u16 of[kLast + 1];
  constexpr Weights() : of{} { std::copy_n(kWeights, kLast, of); }
};
inline constexpr Weights kWeightOf;

// Adds the distance in one attribute of kBlock splats, from `first` on, to the ones j before them.
GSC_CLONES static void add_distances(const DistanceTerm& term, std::size_t first, u32 j, i32* sum) {
  const i32 *x = term.component[0] + first, *y = term.component[1] + first, *z = term.component[2] + first;
  const i32 *xj = x - j, *yj = y - j, *zj = z - j;
  const i32 k = term.k, s = term.s;
  GSC_NO_ALIAS
  for (u32 b = 0; b < kBlock; ++b) {
    const i32 ax = std::abs(x[b] - xj[b]), ay = std::abs(y[b] - yj[b]), az = std::abs(z[b] - zj[b]);
    const i32 top = std::max(ax, std::max(ay, az));
    const i32 length = top + ((ax + ay + az - top) >> 1);
    sum[b] += std::min(kCap, (length * k) >> s);
  }
}

// The distance codes of the splats first .. first + kBlock - 1 to the ones j before them.
inline void distance_codes(const DistanceTerm* terms, u32 count, std::size_t first, u32 j, i32* codes) {
  i32 v[kBlock];
  for (u32 b = 0; b < kBlock; ++b) v[b] = 8;
  for (u32 t = 0; t < count; ++t) add_distances(terms[t], first, j, v);
  for (u32 b = 0; b < kBlock; ++b) {
    // a value under 2^24 is exact as a float: exponent and top three fraction bits are the code
    const float f = static_cast<float>(std::min(kCap, v[b]));
    codes[b] = static_cast<i32>(std::bit_cast<u32>(f) >> 20) - ((127 + 3) << 3);
  }
}

GSC_HOT static void find_similar(const DistanceTerm* terms, u32 count, const PredictorSet& set, std::size_t n, Similar& out) {
  constexpr i32 kFar = 1 << 10;  // of what is not there: over every code, and without weight
  i32 codes[kWindow][kBlock], smallest[kBlock], nearest[kBlock], bucket[kBlock];
  u16 u[kBlock][kWindow];
  const i32 power = static_cast<i32>(set.power);
  for (u32 j = 0; j < kWindow; ++j) std::fill_n(codes[j], kBlock, kFar);
  for (std::size_t first = 0; first < n; first += kBlock) {
    for (u32 j = 1; j <= set.window; ++j) {
      distance_codes(terms, count, first, j, codes[j - 1]);
      if (first == 0) std::fill_n(codes[j - 1], j, kFar);
    }
    std::fill_n(smallest, kBlock, kFar);
    std::fill_n(nearest, kBlock, 0);
    for (u32 j = set.window; j > 0; --j)
      for (u32 b = 0; b < kBlock; ++b) {
        const bool nearer = codes[j - 1][b] <= smallest[b];
        smallest[b] = nearer ? codes[j - 1][b] : smallest[b];
        nearest[b] = nearer ? static_cast<i32>(j) : nearest[b];
      }
    std::fill_n(bucket, kBlock, 0);
    for (u32 t = 0; t < 5; ++t)
      for (u32 b = 0; b < kBlock; ++b) bucket[b] += static_cast<i32>(set.thresholds[t]) <= smallest[b];
    i32 steps[kWindow][kBlock];
    for (u32 j = 0; j < kWindow; ++j)
      for (u32 b = 0; b < kBlock; ++b) steps[j][b] = std::min(power * (codes[j][b] - smallest[b]), Weights::kLast);
    for (u32 b = 0; b < kBlock; ++b)
      for (u32 j = 0; j < kWindow; ++j) u[b][kWindow - 1 - j] = kWeightOf.of[steps[j][b]];
    const u32 rows = static_cast<u32>(std::min<std::size_t>(kBlock, n - first));
    for (u32 b = 0; b < rows; ++b) {
      i32 sum = 0;
      for (u32 t = 0; t < kWindow; ++t) sum += u[b][t];
      const double shrink = static_cast<double>(set.shrink[bucket[b]] << 20);
      const i32 scale = static_cast<i32>(shrink / static_cast<double>(sum));
      u16* w = out.weights.get() + (first + b) * kWindow;
      for (u32 t = 0; t < kWindow; ++t) w[t] = static_cast<u16>((u[b][t] * scale + 32768) >> 16);
      out.bucket[first + b] = static_cast<u8>(bucket[b]);
      out.nearest[first + b] = static_cast<u8>(nearest[b]);
    }
  }
  if (n) {
    std::fill_n(out.weights.get(), kWindow, u16(0));
    out.bucket[0] = 5;
    out.nearest[0] = 0;
  }
}

// (5.7) P = (2048 + sum of w rec) >> 12 for splat i, whose weights are w.
inline i32 predict(const u16* w, const i32* plane, std::size_t i) {
  const i32* before = plane + i - kWindow;
  i32 sum = 2048;
  for (u32 t = 0; t < kWindow; ++t) sum += static_cast<i32>(w[t]) * before[t];
  return sum >> 12;
}

constexpr u32 short_logarithm(u32 v) {  // lg(v) of clause 5.7
  if (v < 2) return v;
  const u32 n = static_cast<u32>(std::bit_width(v)) - 1;
  return std::min<u32>(15, 2 * n + ((v >> (n - 1)) & 1));
}
struct ShortLogarithms {
  u8 of[256];
  constexpr ShortLogarithms() : of{} {
    for (u32 v = 0; v < 256; ++v) of[v] = static_cast<u8>(short_logarithm(v));
  }
};
inline constexpr ShortLogarithms kShortLogarithms;
constexpr i32 kLevelTop = 192;  // from here on lg is 15
inline u32 level(i32 v) { return kShortLogarithms.of[std::min(v, 255)]; }

// Division by the step of a class, 64 to 8192, rounding down, for -2^20 <= a <= 2^27: a plus a multiple of the step is
// not negative, under 2^28, and times the rounded reciprocal is the quotient and less than 1/m more.
class Divisor {
 public:
  Divisor() = default;
  explicit Divisor(i32 m) : m_(m), reciprocal_((u64(1) << 42) / static_cast<u64>(m) + 1) {}
  operator i32() const { return m_; }
  i32 floor(i32 a) const {
    const u64 x = static_cast<u64>(i64(a) + (i64(m_) << 14));
    return static_cast<i32>((x * reciprocal_) >> 42) - (1 << 14);
  }
  // (5.7) a prediction in whole steps
  i32 rounded(i32 a) const { return floor(a + (m_ >> 1)); }

 private:
  i32 m_ = 64;
  u64 reciprocal_ = (u64(1) << 36) + 1;
};

}  // namespace gsc
