// (12.11) Attributes that follow functions of time: fineness and residuals, and recs at one moment.
//
// Coefficients are channels (12.5) with one key. What is decoded of key f depends on keys up to f only.
#pragma once
#include "motion.hpp"

namespace gsc {

constexpr u32 kFinenessLast = 24, kFinenessContexts = 25;  // contexts of each class
constexpr i32 kMostFunction = 1 << 22, kMostMultiplier = 1 << 15;
constexpr u32 kMostFollowed = 16, kMostWidth = 45;  // functions of an attribute, and its values

template <class Coder>
void walk_fineness(Coder& c, const Side& side, const u8* wanted, u8* fineness) {
  for (u32 i = 0; i < side.n; ++i) {
    const u32 nearest = side.nearest_of(i), back = nearest ? nearest : i > 0 ? 1 : 0;
    const u32 v = back ? fineness[i - back] : 0;
    u32 want = 0;
    if constexpr (Coder::encoding) want = wanted[i];
    const u32 value = c.symbol(i, kFinenessContexts * side.klass[i] + v, want);
    if (value > kFinenessLast) c.fail(Status::motion_symbol);
    if (c.failed()) return;
    fineness[i] = static_cast<u8>(value);
  }
}

// How much the residuals of a splat were, lately.
struct Activity {
  u32 value = 16;

  u32 bucket() const { return std::min<u32>(5, static_cast<u32>(std::bit_width(value >> 3))); }
  void add(u64 sizes) { value = (7 * value + 16 * static_cast<u32>(std::min<u64>(63, sizes)) + 4) >> 3; }
};

struct Residuals {
  u32 width, groups;
  const u8* group;        // of each component
  const i32* multiplier;  // of each splat; 0: it has no residuals
  i32 limit;
  const u16* lives;  // n x 2, or null

  u32 contexts() const { return 18 * groups; }
  bool is_coded(u32 i, u32 key) const {
    return multiplier[i] > 0 && (!lives || (lives[2 * std::size_t(i)] <= key && key < lives[2 * std::size_t(i) + 1]));
  }
};

// ideal / m to an integer: what is over it by 1 - rounding or more counts as the next one.
inline i32 quantised(double ideal, i32 m, i32 limit, double rounding) {
  const double size = std::min(std::floor(std::abs(ideal) / m + rounding), std::floor(double(limit) / m));
  return static_cast<i32>(ideal < 0 ? -size : size);
}

// out: keys x n x width; what is not coded is left as it is. ideal: the same shape, in rec units.
template <class Coder>
void walk_residuals(Coder& c, u32 n, const Residuals& what, u32 keys, const double* ideal, double rounding, i32* out) {
  const u32 width = what.width;
  const std::size_t row = std::size_t(n) * width;
  std::vector<Activity> activity(n);
  u32 number = 0;
  for (u32 f = 0; f < keys; ++f) {
    i32* now = out + f * row;
    for (u32 i = 0; i < n; ++i) {
      if (!what.is_coded(i, f)) continue;
      const i32 m = what.multiplier[i];
      const u32 bucket = activity[i].bucket();
      u32 magnitude = 0;
      u64 sizes = 0;
      for (u32 w = 0; w < width; ++w) {
        const std::size_t at = std::size_t(i) * width + w;
        i32 r = 0;
        if constexpr (Coder::encoding) r = quantised(ideal[f * row + at], m, what.limit, rounding);
        r = c.integer(number++, (6 * what.group[w] + bucket) * 3 + magnitude, r);
        magnitude = size_of(r);
        const i64 value = i64(r) * m;
        if (!in_range(value, what.limit)) c.fail(Status::motion_value);
        if (c.failed()) return;
        sizes += static_cast<u64>(std::abs(i64(r)));
        now[at] = static_cast<i32>(value);
      }
      activity[i].add(sizes);
    }
  }
}

// Recs of an attribute at one moment: start, and the sum of functions times coefficients, and a residual.
struct Followed {
  const i32* start;         // n x width, or null: zeros
  const i32* coefficients;  // n x count x width, or null
  const i64* functions;     // count, Q20, within 2^22
  const i32* residuals;     // n x width, or null
  u32 count;
  i32 limit;
};

template <u32 fixed>
void followed(const Followed& p, u32 n, u32 any, i32* out) {
  constexpr u32 most = fixed ? fixed : kMostWidth;
  const u32 width = fixed ? fixed : any, count = p.coefficients ? p.count : 0;
  const i32* c = p.coefficients;
  for (std::size_t i = 0; i < n; ++i) {
    i64 sum[most];
    std::fill_n(sum, width, i64(1) << 19);
    for (u32 o = 0; o < count; ++o, c += width)
      for (u32 w = 0; w < width; ++w) sum[w] += i64(c[w]) * p.functions[o];
    for (u32 w = 0; w < width; ++w) {
      const std::size_t at = i * width + w;
      const i64 value = (p.start ? p.start[at] : 0) + (sum[w] >> 20) + (p.residuals ? p.residuals[at] : 0);
      out[at] = static_cast<i32>(std::clamp<i64>(value, -p.limit, p.limit));
    }
  }
}

}  // namespace gsc
