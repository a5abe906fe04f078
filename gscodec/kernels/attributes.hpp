// (5.8)-(5.11) Scale, rotation, opacity and colour: one walk each, for reading and for writing.
//
// Rows are the chunk's distinct splats. `Side` holds what every attribute needs of a splat: class, step, and
// what its predictor set found.
#pragma once
#include <cmath>

#include "predictor.hpp"

namespace gsc {

constexpr i32 kRecMax = 262143, kDisplacementMax = (1 << 22) - 1;

struct Side {
  u32 n;
  const u8* klass;
  const Similar* similar;  // null when the attribute is not predicted
  u32 classes;             // K
  Divisor step[8];         // by class

  u32 bucket_of(u32 i) const { return similar ? similar->bucket[i] : 0; }
  u32 nearest_of(u32 i) const { return similar ? similar->nearest[i] : 0; }
  i32 predicted(const i32* plane, u32 i) const {
    return similar ? predict(similar->weights.get() + std::size_t(i) * kWindow, plane, i) : 0;
  }
};

inline bool in_range(i64 rec, i64 limit = kRecMax) { return rec <= limit && rec >= -limit; }
inline i32 wanted(double ideal, i32 m, i32 limit) {  // nearest lattice index whose value stays in range
  const double top = limit / m;
  return static_cast<i32>(std::nearbyint(std::clamp(ideal / m, -top, top)));
}

// (5.8) ideal: n x 3 in units of base step / 64, descending; rec: n x 3.
template <class Coder>
void walk_scale(Coder& c, const Side& side, i32 floor, const double* ideal, i32* rec) {
  const u32 k6 = side.classes * 6;
  Plane planes[3] = {Plane(side.n), Plane(side.n), Plane(side.n)};
  i32* plane[3] = {planes[0].data(), planes[1].data(), planes[2].data()};
  for (u32 i = 0; i < side.n; ++i) {
    const Divisor m = side.step[side.klass[i]];
    i32 base[3], want[3] = {};
    i64 q[3];
    for (int k = 0; k < 3; ++k) base[k] = m.rounded(side.predicted(plane[k], i));
    if constexpr (Coder::encoding)
      for (int k = 0; k < 3; ++k) want[k] = wanted(ideal[std::size_t(i) * 3 + k], m, kRecMax);
    const u32 v = 3 * i;
    q[0] = i64(base[0]) + c.integer(v, side.klass[i] * 6u + side.bucket_of(i), want[0] - base[0]);
    i32* r = rec + std::size_t(i) * 3;
    for (u32 k = 1;; ++k) {
      const i64 value = q[k - 1] * m;
      if (!in_range(value)) return c.fail(Status::range);
      r[k - 1] = plane[k - 1][i] = static_cast<i32>(value);
      if (k == 3) break;
      const i32 expected = std::max(0, base[k - 1] - base[k] + ((static_cast<i32>(q[k - 1]) - base[k - 1]) >> 1));
      const i64 above = std::clamp<i64>(value - floor, 0, i64(kLevelTop) * m);
      const u32 context = k6 + (k - 1) * 256 + level(expected) * 16 + level(m.floor(static_cast<i32>(above)));
      q[k] = q[k - 1] - c.hybrid(v + k, context, static_cast<u32>(want[k - 1] - want[k]));
    }
    if (c.failed()) return;
  }
}

struct RotationSteps {
  i64 a, b;  // cells per unit of scale difference
  i64 max_d, max_t;
};

// (5.9) How many cells the direction of the main axis and the twist of a splat get, from its scale differences.
struct Cells {
  bool disc;
  i32 nd, nt;
};

// floor((factor x / m + 128) / 256), at least 1 and at most `most`. Factor / m is kept as a double. Below `most`, its
// error is far less than 2^-16, which is less than the least distance, 1 / m, of the exact quotient from an integer.
class CellCount {
 public:
  CellCount() = default;
  CellCount(i64 factor, i64 most, i32 m)
      : factor_(static_cast<double>(factor) / m), most_(static_cast<double>(std::max<i64>(1, most * 64 / m))) {}
  i32 of(i32 x) const {
    return std::max(1, static_cast<i32>(std::min((factor_ * x + (128 + 0x1p-16)) * 0x1p-8, most_)));
  }

 private:
  double factor_ = 0, most_ = 1;
};

class CellCounts {
 public:
  CellCounts(const Side& side, const RotationSteps& steps) {
    for (int k = 0; k < 8; ++k) {
      axis_[k] = CellCount(steps.a, steps.max_d, side.step[k]);
      twist_[k] = CellCount(steps.b, steps.max_t, side.step[k]);
    }
  }
  Cells of(u32 klass, const i32* scale) const {
    const i32 d12 = scale[0] - scale[1], d23 = scale[1] - scale[2], large = std::max(d12, d23);
    return {d12 <= d23, axis_[klass].of(d12 + d23 + large), twist_[klass].of(std::min(d12, d23))};
  }

 private:
  CellCount axis_[8], twist_[8];
};

// floor(sqrt(v)), 0 <= v <= 2^52: the root of r^2 - 1 is farther below r than a double is rounded
inline i64 isqrt(i64 v) { return static_cast<i64>(std::sqrt(static_cast<double>(v))); }

// floor(a / b), |a| < 2^52, quotient within -2^bits .. 2^bits
inline i32 quotient(i64 a, i64 b, int bits) {
  return static_cast<i32>(static_cast<double>(a + (b << bits)) / static_cast<double>(b)) - (1 << bits);
}

// A neighbour's axes in Q14: columns 1..3 of the rotation matrix of a Q24 quaternion.
inline void axis_of(const i32* q24, int column, i32* out) {
  const i32 w = (q24[0] + 2048) >> 12, x = (q24[1] + 2048) >> 12, y = (q24[2] + 2048) >> 12, z = (q24[3] + 2048) >> 12;
  i32 m[3];
  if (column == 1) {
    m[0] = (1 << 24) - 2 * (y * y + z * z), m[1] = 2 * (x * y + w * z), m[2] = 2 * (x * z - w * y);
  } else if (column == 2) {
    m[0] = 2 * (x * y - w * z), m[1] = (1 << 24) - 2 * (x * x + z * z), m[2] = 2 * (y * z + w * x);
  } else {
    m[0] = 2 * (x * z + w * y), m[1] = 2 * (y * z - w * x), m[2] = (1 << 24) - 2 * (x * x + y * y);
  }
  for (int k = 0; k < 3; ++k) out[k] = m[k] >> 10;
}

struct Swing {
  i32 dx, dy, dz;
  i64 length;  // in units of 1/256

  Swing(i32 i1, i32 i2, i32 nd) {
    const i32 u = 2 * i1 + 1 - nd, v = 2 * i2 + 1 - nd;
    dx = u + v;
    dy = u - v;
    dz = 2 * (nd - std::max(std::abs(u), std::abs(v)));
    length = isqrt(i64(dx * dx + dy * dy + dz * dz) << 16);
  }
};

// (5.9) Predicted twist index from a reference axis (Q14).
inline i32 twist_prediction(const Swing& s, const i32* ref, i32 nt) {
  const i64 nx = quotient(i64(s.dx) << 22, s.length, 15), ny = quotient(i64(s.dy) << 22, s.length, 15),
            nz = quotient(i64(s.dz) << 22, s.length, 15);
  const i64 wz = 16384 + nz;
  const i64 t = ((ref[0] * nx + ref[1] * ny) >> 14) + ((ref[2] * wz) >> 14);
  i64 fx = ref[0] * wz - nx * t, fy = ref[1] * wz - ny * t;
  const bool turned = fy < 0 || (fy == 0 && fx < 0);
  fx = turned ? -fx : fx;
  fy = turned ? -fy : fy;
  const i64 h = std::abs(fx), longer = std::max(h, fy);
  if (longer == 0) return 0;
  const i32 ratio = kAtan[static_cast<i32>(static_cast<double>(std::min(h, fy) << 8) / static_cast<double>(longer))];
  i32 angle = fy <= h ? ratio : 2048 - ratio;
  angle = fx < 0 ? 4096 - angle : angle;
  return std::min(nt - 1, (angle * nt) >> 12);
}

inline void shift_to_25_bits(i64* q) {
  u64 all = 0;
  for (int k = 0; k < 4; ++k) all |= static_cast<u64>(std::abs(q[k]));
  const int excess = std::max(0, static_cast<int>(std::bit_width(all)) - 25);
  for (int k = 0; k < 4; ++k) q[k] >>= excess;
}

// (6.4) The Q24 quaternion of a swing, a twist cell, and the kind of splat.
inline void rotation_quaternion(const Swing& s, i32 it, i32 nt, bool disc, i32* out) {
  const i64 w = s.length + (i64(s.dz) << 8), qx = -(i64(s.dy) << 8), qy = i64(s.dx) << 8;
  // (2 it + 1) 4096 / (2 nt); the reciprocal is a little too large, by too little for a dividend under 2^23
  const u64 reciprocal = static_cast<u64>(0x1p40 / nt) + 1;
  const u32 h = static_cast<u32>((static_cast<u64>(2 * it + 1) * 2048 * reciprocal) >> 40);
  const i64 sn = kSin[h], cs = kSin[4096 - h];
  i64 q[4] = {w * cs, qx * cs + qy * sn, qy * cs - qx * sn, w * sn};
  shift_to_25_bits(q);
  if (!disc) {
    const i64 a = q[0], b = q[1], c = q[2], d = q[3];
    q[0] = a + b + c + d, q[1] = -a + b - c + d, q[2] = -a + b + c - d, q[3] = -a - b + c + d;
    shift_to_25_bits(q);
  }
  double f[4], square = 0;
  for (int k = 0; k < 4; ++k) f[k] = static_cast<double>(static_cast<i32>(q[k]));
  for (int k = 0; k < 4; ++k) square += f[k] * f[k];
  const double n = static_cast<double>(static_cast<i32>(std::sqrt(square)));  // the exact floor, as in `isqrt`
  i32 rounded[4];
  for (int k = 0; k < 4; ++k)  // floor((2^25 q + n) / 2n), with 2^25 added while it is a quotient
    rounded[k] = static_cast<i32>((f[k] * 0x1p25 + n * (1 + 0x1p26)) / (2 * n)) - (1 << 25);
  const i32 sign = rounded[0] < 0 ? -1 : 1;
  for (int k = 0; k < 4; ++k) out[k] = rounded[k] * sign;
}

struct RotationGuess {
  bool known;
  i32 g1, g2;
  i32 ref[3];
};

inline RotationGuess rotation_guess(const Side& side, const i32* quaternions, u32 i, bool disc, i32 nd) {
  RotationGuess g{false, nd / 2, nd / 2, {0, 0, 0}};
  const u32 nearest = side.nearest_of(i);
  if (nearest == 0) return g;
  const i32* q = quaternions + std::size_t(i - nearest) * 4;
  i32 p[3];
  axis_of(q, disc ? 3 : 1, p);
  if (p[2] < 0)
    for (int k = 0; k < 3; ++k) p[k] = -p[k];
  const i32 l1 = std::abs(p[0]) + std::abs(p[1]) + std::abs(p[2]);
  if (l1 == 0) return g;
  g.known = true;
  const double per = nd, all = 2 * l1;
  g.g1 = std::min(nd - 1, static_cast<i32>((p[0] + p[1] + l1) * per / all));
  g.g2 = std::min(nd - 1, static_cast<i32>((p[0] - p[1] + l1) * per / all));
  axis_of(q, disc ? 1 : 2, g.ref);
  return g;
}

inline u32 size_of(i32 r) { return r == 0 ? 0 : (r >= -2 && r <= 2) ? 1 : 2; }

// One index of n cells around a guess. `magnitude` receives how far off the guess was.
template <class Coder>
i32 code_index(Coder& c, u32 v, u32 context, i32 n, i32 guess, bool wrap, i32 want, u32* magnitude) {
  *magnitude = 0;
  if (n == 1) return 0;
  i32 r = want - guess;
  u32 s = 0;
  if constexpr (Coder::encoding) {
    if (wrap) r = r > n / 2 ? r - n : r < -(n / 2) ? r + n : r;
    s = zigzag(r);
    if (s >= 48) s = 255;
  }
  s = c.symbol(v, context, s);
  if (s == 255) {
    *magnitude = 2;
    return static_cast<i32>(c.uniform(v, static_cast<u32>(n), static_cast<u32>(want)));
  }
  r = unzigzag(s);
  *magnitude = size_of(r);
  i32 value = guess + r;
  if (wrap && r > -n && r < n) value = value < 0 ? value + n : value >= n ? value - n : value;
  if (value < 0 || value >= n) {
    c.fail(Status::rotation);
    return 0;
  }
  return value;
}

// The cells nearest to an ideal direction and reference axis (unit vectors); encoder only.
inline void choose_swing(const double* axis, i32 nd, i32* i1, i32* i2) {
  double p[3] = {axis[0], axis[1], axis[2]};
  if (p[2] < 0)
    for (double& x : p) x = -x;
  const double l1 = std::abs(p[0]) + std::abs(p[1]) + p[2] + 1e-300;
  const double u = (p[0] + p[1]) / l1, v = (p[0] - p[1]) / l1;
  *i1 = std::clamp(static_cast<i32>(std::floor((u + 1) * nd / 2)), 0, nd - 1);
  *i2 = std::clamp(static_cast<i32>(std::floor((v + 1) * nd / 2)), 0, nd - 1);
}

inline i32 choose_twist(const Swing& s, const double* ref, i32 nt) {
  const double length = std::sqrt(double(s.dx * s.dx + s.dy * s.dy + s.dz * s.dz));
  const double nx = s.dx / length, ny = s.dy / length, wz = 1 + s.dz / length;
  const double t = ref[0] * nx + ref[1] * ny + ref[2] * wz;
  double fx = ref[0] * wz - nx * t, fy = ref[1] * wz - ny * t;
  if (fy < 0) fx = -fx, fy = -fy;
  double turn = std::atan2(fy, fx) / 3.14159265358979323846;
  return std::clamp(static_cast<i32>(std::floor(turn * nt)), 0, nt - 1);
}

// (5.9) ideal: n x 9, unit columns of the wanted frame (axis of largest, middle, smallest scale); out: n x 4 in Q24.
template <class Coder>
void walk_rotation(Coder& c, const Side& side, const RotationSteps& steps, const i32* scale, const double* ideal,
                   i32* out) {
  const CellCounts counts(side, steps);
  for (u32 i = 0; i < side.n; ++i) {
    const auto [disc, nd, nt] = counts.of(side.klass[i], scale + std::size_t(i) * 3);
    const RotationGuess g = rotation_guess(side, out, i, disc, nd);
    const u32 bucket = side.bucket_of(i);
    i32 want1 = 0, want2 = 0, want_t = 0;
    const double* frame = Coder::encoding ? ideal + std::size_t(i) * 9 : nullptr;
    if constexpr (Coder::encoding) choose_swing(frame + (disc ? 6 : 0), nd, &want1, &want2);
    u32 m1, m2, mt;
    const u32 row = bucket * 16 + level(nd);
    const i32 i1 = code_index(c, 3 * i, row, nd, g.g1, false, want1, &m1);
    const i32 i2 = code_index(c, 3 * i + 1, 96 + row * 3 + m1, nd, g.g2, false, want2, &m2);
    const Swing swing(i1, i2, nd);
    if constexpr (Coder::encoding) want_t = choose_twist(swing, frame + (disc ? 0 : 3), nt);
    const i32 guess_t = g.known && nt > 1 ? twist_prediction(swing, g.ref, nt) : 0;
    const u32 context = 384 + (bucket * 16 + level(nt)) * 3 + std::max(m1, m2);
    const i32 it = code_index(c, 3 * i + 2, context, nt, guess_t, true, want_t, &mt);
    if (c.failed()) return;
    rotation_quaternion(swing, it, nt, disc, out + std::size_t(i) * 4);
  }
}

// (5.10) ideal: n in units of base step / 64.
template <class Coder>
void walk_opacity(Coder& c, const Side& side, const double* ideal, i32* rec) {
  Plane plane(side.n);
  i32* before = plane.data();
  for (u32 i = 0; i < side.n; ++i) {
    const Divisor m = side.step[side.klass[i]];
    const i32 base = m.rounded(side.predicted(before, i));
    i32 want = 0;
    if constexpr (Coder::encoding) want = wanted(ideal[i], m, kRecMax) - base;
    const i64 value = (i64(base) + c.integer(i, side.klass[i] * 6u + side.bucket_of(i), want)) * m;
    if (!in_range(value)) c.fail(Status::range);
    if (c.failed()) return;
    rec[i] = before[i] = static_cast<i32>(value);
  }
}

// The residual that brings `predicted` nearest to `ideal`, the result staying within the limit.
inline i32 residual(double ideal, i32 predicted, i32 m, i32 limit) {
  i64 q = static_cast<i64>(std::nearbyint((std::clamp<double>(ideal, -limit, limit) - predicted) / m));
  if (predicted + q * m > limit) --q;
  if (predicted + q * m < -limit) ++q;
  return static_cast<i32>(q);
}

// (5.11) ideal: n x 3 (Y, Co, Cg) in units of each channel's base step / 64.
template <class Coder>
void walk_colour(Coder& c, const Side& side, const double* ideal, i32* rec) {
  Plane planes[3] = {Plane(side.n), Plane(side.n), Plane(side.n)};
  i32* plane[3] = {planes[0].data(), planes[1].data(), planes[2].data()};
  for (u32 i = 0; i < side.n; ++i) {
    const i32 m = side.step[side.klass[i]];
    i32 p[3];
    for (u32 k = 0; k < 3; ++k) p[k] = side.predicted(plane[k], i);
    u32 before = 0;
    for (u32 k = 0; k < 3; ++k) {
      i32 want = 0;
      if constexpr (Coder::encoding) want = residual(ideal[std::size_t(i) * 3 + k], p[k], m, kRecMax);
      const u32 context = ((k * side.classes + side.klass[i]) * 6 + side.bucket_of(i)) * 3 + before;
      const i32 q = c.integer(3 * i + k, context, want);
      before = size_of(q);
      const i64 value = p[k] + i64(q) * m;
      if (!in_range(value)) c.fail(Status::range);
      if (c.failed()) return;
      rec[std::size_t(i) * 3 + k] = plane[k][i] = static_cast<i32>(value);
    }
  }
}

}  // namespace gsc
