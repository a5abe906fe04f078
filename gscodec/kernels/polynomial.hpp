// (12.6) Motion as polynomials in time: positions, rotations and opacities of a chunk at one moment.
//
// Everything is an exact integer under 2^53 up to the one rounding of 6.1.
#pragma once
#include <cmath>
#include <vector>

#include "attributes.hpp"
#include "reconstruct.hpp"

namespace gsc {

constexpr i64 kMostTau = (i64(1) << 23) - 1, kFullWeight = i64(1) << 24, kMostTurn = i64(1) << 22;

struct Exp2 {  // value 2^(power - 24), 2^24 <= value <= 2^25
  i64 value, power;
};

inline Exp2 exp2_q20(i64 x) {
  const i64 j = (x >> 10) & 1023, r = x & 1023;
  return {kExp2[j] + (((kExp2[j + 1] - kExp2[j]) * r + 512) >> 10), x >> 20};
}

// log2(x / 2^24) in Q20, 1 <= x < 2^24
inline i64 log2_q20(i64 x) {
  const int b = static_cast<int>(std::bit_width(static_cast<u64>(x)));
  const i64 m = (x << (25 - b)) - (i64(1) << 24), j = m >> 14;
  return kLog2[j] + (((kLog2[j + 1] - kLog2[j]) * (m & 16383) + 8192) >> 14) + (i64(b) - 25) * (i64(1) << 20);
}

struct Factor {  // x A / 2^S, to the nearest
  i64 factor;
  u32 shift;
  i64 of(i64 x) const { return (x * factor + ((i64(1) << shift) >> 1)) >> shift; }
};

struct OpacityUnits {
  i64 step, offset;

  // opacity in Q24, 1/4096 to 1 - 1/16384
  i64 alpha(i64 rec) const {
    const Exp2 e = exp2_q20(std::clamp<i64>(offset + scaled(rec, step), -(i64(4) << 20), 94208));
    return std::clamp<i64>((e.value >> -e.power) - (i64(1) << 20), 4096, kFullWeight - 1024);
  }
};

// Logit in Q20 of an opacity in Q24 times a weight in Q24.
inline i64 weighted_logit(i64 alpha, i64 weight) {
  const i64 a = std::max<i64>(1, (alpha * weight) >> 24);
  return ((log2_q20(a) - log2_q20(kFullWeight - a)) * 726817 + (i64(1) << 19)) >> 20;
}

struct TimeUnits {
  i64 centre_step, centre_offset, width_step, width_offset;

  i64 centre(i64 rec) const { return centre_offset + ((rec * centre_step + 32) >> 6); }
  i64 log_width(i64 rec) const {
    return std::clamp<i64>(width_offset + scaled(rec, width_step), -(i64(16) << 20), (i64(16) << 20) - 1);
  }
  static u32 octave(i64 log_width) { return static_cast<u32>(std::clamp<i64>(-(log_width >> 20), 0, 8)); }
};

// q becomes p q, of length 2^24; it stays if p does not turn.
inline void turn(const i64* p, const i32* q, i32* out) {
  if ((p[1] | p[2] | p[3]) == 0) {
    std::copy_n(q, 4, out);
    return;
  }
  const i64 w = q[0], x = q[1], y = q[2], z = q[3];
  i64 t[4] = {p[0] * w - p[1] * x - p[2] * y - p[3] * z, p[0] * x + p[1] * w + p[2] * z - p[3] * y,
              p[0] * y - p[1] * z + p[2] * w + p[3] * x, p[0] * z + p[1] * y - p[2] * x + p[3] * w};
  shift_to_25_bits(t);
  double f[4], square = 0;
  for (int k = 0; k < 4; ++k) f[k] = static_cast<double>(static_cast<i32>(t[k]));
  for (int k = 0; k < 4; ++k) square += f[k] * f[k];
  const double n = std::floor(std::sqrt(square));
  i32 rounded[4];
  for (int k = 0; k < 4; ++k)  // floor((2^25 f + n) / 2n), with 2^25 added while it is a quotient
    rounded[k] = static_cast<i32>((f[k] * 0x1p25 + n * (1 + 0x1p26)) / (2 * n)) - (1 << 25);
  const i32 sign = rounded[0] < 0 ? -1 : 1;
  for (int k = 0; k < 4; ++k) out[k] = rounded[k] * sign;
}

// What is the same at all times, of each distinct splat.
class Polynomial {
 public:
  std::size_t splats = 0, distinct = 0;
  u32 degree = 0;
  i64 reference = 0, threshold = 0;
  double unit = 1;  // of positions
  Factor translates{1, 0}, rotates{1, 0};
  std::vector<u8> mask;          // bits: translates, rotates, temporal
  std::vector<u32> source;       // of each splat
  std::vector<double> base;      // of each splat, 3: position at the reference
  std::vector<i32> translation;  // distinct x 3 degree
  std::vector<i32> rotation;     // distinct x 4; empty
  std::vector<i32> quaternion;   // distinct x 4, Q24
  std::vector<float> logit;      // distinct

  struct Window {
    i32 centre, inverse, alpha;  // |tau| inverse 2^-shift is in widths, Q20
    u8 shift, octave;
  };
  std::vector<Window> window;  // distinct; empty

  static Window window_of(const TimeUnits& units, const OpacityUnits& opacity, const i32* rec, i32 opacity_rec) {
    const i64 y = units.log_width(rec[1]);
    const Exp2 e = exp2_q20(-y);
    // beyond these bounds every tau is at its own, too
    const i64 centre = std::clamp<i64>(units.centre(rec[0]), -(i64(1) << 24), i64(1) << 25);
    return {static_cast<i32>(centre), static_cast<i32>(e.value), static_cast<i32>(opacity.alpha(opacity_rec)),
            static_cast<u8>(24 - e.power), static_cast<u8>(TimeUnits::octave(y))};
  }

  static i64 weight(const Window& w, i64 tau) {
    const i64 r = (std::abs(tau) * w.inverse) >> w.shift;
    if (r >= 1 << 23) return 0;
    const Exp2 e = exp2_q20(-((((r * r) >> 16) * 6051102) >> 26));
    return e.power < -25 ? 0 : e.value >> -e.power;
  }

  // `moment` in Q20 of the segment. Outputs have room for all splats; how many are shown, the numbers of which go to `rows`.
  std::size_t at(i64 moment, u32* rows, float* position, float* turned, float* opacity) const;
};

GSC_HOT static std::size_t polynomial_at(const Polynomial& p, i64 moment, u32* rows, float* position, float* turned, float* opacity) {
  std::size_t shown = 0;
  const u32 degree = p.degree;
  const bool rotates = !p.rotation.empty();
  for (std::size_t i = 0; i < p.splats; ++i) {
    const std::size_t s = p.source[i];
    const u32 mask = p.mask[s];
    i64 tau = moment - p.reference;
    u32 octave = 0;
    float logit = p.logit[s];
    if (mask & 4) {
      const Polynomial::Window& w = p.window[s];
      tau = std::clamp(moment - w.centre, -kMostTau, kMostTau);
      octave = w.octave;
      const i64 weight = Polynomial::weight(w, tau);
      if ((weight >> 8) < p.threshold) continue;
      if (weight != kFullWeight) logit = round_once(static_cast<double>(weighted_logit(w.alpha, weight)), 0x1p-20);
    }
    tau = std::clamp(tau * (i64(1) << octave), -kMostTau, kMostTau);
    double at[3];
    std::copy_n(p.base.data() + 3 * i, 3, at);
    if (mask & 1) {
      const i32* rec = p.translation.data() + s * 3 * degree;
      for (u32 axis = 0; axis < 3; ++axis) {
        i64 h = rec[3 * (degree - 1) + axis];
        for (u32 k = degree - 1; k-- > 0;) h = ((h * tau + (1 << 19)) >> 20) + rec[3 * k + axis];
        h = (h * tau + (1 << 19)) >> 20;
        at[axis] += static_cast<double>(p.translates.of(h));
      }
    }
    i32 q[4];
    if (rotates && (mask & 2)) {
      const i32* rec = p.rotation.data() + 4 * s;
      i64 u[4];
      for (int k = 0; k < 4; ++k)
        u[k] = std::clamp(p.rotates.of((rec[k] * tau + (1 << 19)) >> 20), -kMostTurn, kMostTurn);
      u[0] += 1 << 20;
      turn(u, p.quaternion.data() + 4 * s, q);
    } else {
      std::copy_n(p.quaternion.data() + 4 * s, 4, q);
    }
    rows[shown] = static_cast<u32>(i);
    opacity[shown] = logit;
    for (int k = 0; k < 3; ++k) position[3 * shown + k] = round_once(at[k], p.unit);
    for (int k = 0; k < 4; ++k) turned[4 * shown + k] = round_once(q[k], 0x1p-24);
    ++shown;
  }
  return shown;
}

inline std::size_t Polynomial::at(i64 moment, u32* rows, float* position, float* turned, float* opacity) const {
  return polynomial_at(*this, moment, rows, position, turned, opacity);
}

}  // namespace gsc
