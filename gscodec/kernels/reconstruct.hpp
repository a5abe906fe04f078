// Chapter 6: integers to binary32. Every value is an exact integer times a power of two, rounded once.
#pragma once
#include <cfloat>

#include "harmonics.hpp"

namespace gsc {

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

}  // namespace gsc
