// (5.6)-(5.9) Scale, rotation, opacity and colour: one walk each, for reading and for writing.
//
// Rows are the chunk's distinct splats. `Side` holds what every attribute needs of a splat: class, weights, bucket.
#pragma once
#include <cmath>

#include "predictor.hpp"

namespace gsc {

constexpr i32 kRecMax = 262143;

struct Side {
  u32 n;
  const u8* klass;
  const u16* weights;  // n x 16, or null when the attribute is not predicted
  const u8* bucket;
  const u8* nearest;
  u32 classes;  // K
  i32 multiplier[8];

  u32 bucket_of(u32 i) const { return weights ? bucket[i] : 0; }
  void predicted(const i32* rec, u32 i, u32 width, i32* out) const {
    if (weights)
      predict(weights + std::size_t(i) * kWindow, rec, i, width, out);
    else
      std::fill_n(out, width, 0);
  }
};

inline bool in_range(i64 rec, i64 limit = kRecMax) { return rec <= limit && rec >= -limit; }
inline i32 wanted(double ideal, i32 m, i32 limit) {  // nearest lattice index whose value stays in range
  const double top = limit / m;
  return static_cast<i32>(std::nearbyint(std::clamp(ideal / m, -top, top)));
}

// (5.6) ideal: n x 3 in units of base step / 64, descending; rec: n x 3.
template <class Coder>
void walk_scale(Coder& c, const Side& side, i32 floor, const double* ideal, i32* rec) {
  const u32 k6 = side.classes * 6;
  for (u32 i = 0; i < side.n; ++i) {
    const i32 m = side.multiplier[side.klass[i]];
    i32 p[3];
    side.predicted(rec, i, 3, p);
    i64 base[3], q[3];
    for (int k = 0; k < 3; ++k) base[k] = floor_div(i64(p[k]) + (m >> 1), m);
    i32 want[3] = {};
    if constexpr (Coder::encoding)
      for (int k = 0; k < 3; ++k) want[k] = wanted(ideal[std::size_t(i) * 3 + k], m, kRecMax);
    const u32 v = 3 * i;
    q[0] = base[0] + c.integer(v, side.klass[i] * 6u + side.bucket_of(i), static_cast<i32>(want[0] - base[0]));
    i32* r = rec + std::size_t(i) * 3;
    for (u32 k = 1;; ++k) {
      const i64 value = q[k - 1] * m;
      if (!in_range(value)) return c.fail(Status::range);
      r[k - 1] = static_cast<i32>(value);
      if (k == 3) break;
      const i64 expected = std::max<i64>(0, base[k - 1] - base[k] + ((q[k - 1] - base[k - 1]) >> 1));
      const i64 above = std::max<i64>(0, floor_div(value - floor, m));
      const u32 context = k6 + (k - 1) * 256 + level(expected) * 16 + level(above);
      q[k] = q[k - 1] - c.hybrid(v + k, context, static_cast<u32>(want[k - 1] - want[k]));
    }
    if (c.failed()) return;
  }
}

struct RotationSteps {
  i64 a, b;        // cells per unit of scale difference
  i64 max_d, max_t;
  i32 multiplier[8];
};

struct Cells {
  bool disc;
  i32 nd, nt;
};

// (5.7) How many cells the direction of the main axis and the twist get, from the splat's scale differences.
inline Cells rotation_cells(const RotationSteps& steps, u32 klass, const i32* scale) {
  const i64 d12 = scale[0] - scale[1], d23 = scale[1] - scale[2];
  const i64 m = steps.multiplier[klass];
  const i64 large = d12 + d23 + std::max(d12, d23), small = std::min(d12, d23);
  const auto cells = [&](i64 per, i64 x, i64 most) {
    return static_cast<i32>(std::clamp<i64>(((per * x) / m + 128) >> 8, 1, std::max<i64>(1, most * 64 / m)));
  };
  return {d12 <= d23, cells(steps.a, large, steps.max_d), cells(steps.b, small, steps.max_t)};
}

// floor(sqrt(v)), v < 2^53
inline i64 isqrt(i64 v) {
  i64 r = static_cast<i64>(std::sqrt(static_cast<double>(v)));
  if (r * r > v) --r;
  if ((r + 1) * (r + 1) <= v) ++r;
  return r;
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
  i64 dx, dy, dz, length;  // length in units of 1/256

  Swing(i32 i1, i32 i2, i32 nd) {
    const i64 u = 2 * i1 + 1 - nd, v = 2 * i2 + 1 - nd;
    dx = u + v;
    dy = u - v;
    dz = 2 * (nd - std::max(std::abs(u), std::abs(v)));
    length = isqrt((dx * dx + dy * dy + dz * dz) << 16);
  }
};

// (5.7) Predicted twist index from a reference axis (Q14).
inline i32 twist_prediction(const Swing& s, const i32* ref, i32 nt) {
  const i64 nx = floor_div(s.dx << 22, s.length), ny = floor_div(s.dy << 22, s.length),
            nz = floor_div(s.dz << 22, s.length);
  const i64 wz = 16384 + nz;
  const i64 t = ((ref[0] * nx + ref[1] * ny) >> 14) + ((ref[2] * wz) >> 14);
  i64 fx = ref[0] * wz - nx * t, fy = ref[1] * wz - ny * t;
  if (fy < 0 || (fy == 0 && fx < 0)) fx = -fx, fy = -fy;
  if (fx == 0 && fy == 0) return 0;
  const i64 h = std::abs(fx);
  i64 angle = fy <= h ? kAtan[(fy << 8) / h] : 2048 - kAtan[(h << 8) / fy];
  if (fx < 0) angle = 4096 - angle;
  return static_cast<i32>(std::min<i64>(nt - 1, (angle * nt) >> 12));
}

inline void shift_to_25_bits(i64* q) {
  i64 top = 0;
  for (int k = 0; k < 4; ++k) top = std::max(top, std::abs(q[k]));
  const int excess = std::bit_width(static_cast<u64>(top)) - 25;
  if (excess > 0)
    for (int k = 0; k < 4; ++k) q[k] >>= excess;
}

// (5.7) The Q24 quaternion of a swing, a twist cell, and the kind of splat.
inline void rotation_quaternion(const Swing& s, i32 it, i32 nt, bool disc, i32* out) {
  const i64 w = s.length + (s.dz << 8), qx = -(s.dy << 8), qy = s.dx << 8;
  const i64 h = (i64(2 * it + 1) * 4096) / (2 * nt);
  const i64 sn = kSin[h], cs = kSin[4096 - h];
  i64 q[4] = {w * cs, qx * cs + qy * sn, qy * cs - qx * sn, w * sn};
  shift_to_25_bits(q);
  if (!disc) {
    const i64 a = q[0], b = q[1], c = q[2], d = q[3];
    q[0] = a + b + c + d, q[1] = -a + b - c + d, q[2] = -a + b + c - d, q[3] = -a - b + c + d;
    shift_to_25_bits(q);
  }
  const i64 n = isqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  for (int k = 0; k < 4; ++k) out[k] = static_cast<i32>(floor_div((q[k] << 25) + n, 2 * n));
  if (out[0] < 0)
    for (int k = 0; k < 4; ++k) out[k] = -out[k];
}

struct RotationGuess {
  bool known;
  i32 g1, g2;
  i32 ref[3];
};

inline RotationGuess rotation_guess(const Side& side, const i32* quaternions, u32 i, const Cells& cells) {
  RotationGuess g{false, cells.nd / 2, cells.nd / 2, {0, 0, 0}};
  if (!side.weights || side.nearest[i] == 0) return g;
  const i32* q = quaternions + std::size_t(i - side.nearest[i]) * 4;
  i32 p[3];
  axis_of(q, cells.disc ? 3 : 1, p);
  if (p[2] < 0)
    for (int k = 0; k < 3; ++k) p[k] = -p[k];
  const i64 l1 = std::abs(p[0]) + std::abs(p[1]) + std::abs(p[2]);
  if (l1 == 0) return g;
  g.known = true;
  g.g1 = static_cast<i32>(std::min<i64>(cells.nd - 1, floor_div((p[0] + p[1] + l1) * cells.nd, 2 * l1)));
  g.g2 = static_cast<i32>(std::min<i64>(cells.nd - 1, floor_div((p[0] - p[1] + l1) * cells.nd, 2 * l1)));
  axis_of(q, cells.disc ? 1 : 2, g.ref);
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

// (5.7) ideal: n x 9, unit columns of the wanted frame (axis of largest, middle, smallest scale); out: n x 4 in Q24.
template <class Coder>
void walk_rotation(Coder& c, const Side& side, const RotationSteps& steps, const i32* scale, const double* ideal,
                   i32* out) {
  for (u32 i = 0; i < side.n; ++i) {
    const Cells cells = rotation_cells(steps, side.klass[i], scale + std::size_t(i) * 3);
    const RotationGuess g = rotation_guess(side, out, i, cells);
    const u32 bucket = side.bucket_of(i);
    i32 want1 = 0, want2 = 0, want_t = 0;
    const double* frame = Coder::encoding ? ideal + std::size_t(i) * 9 : nullptr;
    if constexpr (Coder::encoding) choose_swing(frame + (cells.disc ? 6 : 0), cells.nd, &want1, &want2);
    u32 m1, m2, mt;
    const u32 row = bucket * 16 + level(cells.nd);
    const i32 i1 = code_index(c, 3 * i, row, cells.nd, g.g1, false, want1, &m1);
    const i32 i2 = code_index(c, 3 * i + 1, 96 + row * 3 + m1, cells.nd, g.g2, false, want2, &m2);
    const Swing swing(i1, i2, cells.nd);
    if constexpr (Coder::encoding) want_t = choose_twist(swing, frame + (cells.disc ? 0 : 3), cells.nt);
    const i32 guess_t = g.known && cells.nt > 1 ? twist_prediction(swing, g.ref, cells.nt) : 0;
    const u32 context = 384 + (bucket * 16 + level(cells.nt)) * 3 + std::max(m1, m2);
    const i32 it = code_index(c, 3 * i + 2, context, cells.nt, guess_t, true, want_t, &mt);
    if (c.failed()) return;
    rotation_quaternion(swing, it, cells.nt, cells.disc, out + std::size_t(i) * 4);
  }
}

// (5.8) ideal: n in units of base step / 64.
template <class Coder>
void walk_opacity(Coder& c, const Side& side, const double* ideal, i32* rec) {
  for (u32 i = 0; i < side.n; ++i) {
    const i32 m = side.multiplier[side.klass[i]];
    i32 p;
    side.predicted(rec, i, 1, &p);
    const i64 base = floor_div(i64(p) + (m >> 1), m);
    i32 want = 0;
    if constexpr (Coder::encoding) want = static_cast<i32>(wanted(ideal[i], m, kRecMax) - base);
    const i64 value = (base + c.integer(i, side.klass[i] * 6u + side.bucket_of(i), want)) * m;
    if (!in_range(value)) c.fail(Status::range);
    if (c.failed()) return;
    rec[i] = static_cast<i32>(value);
  }
}

// The residual that brings `predicted` nearest to `ideal`, the result staying within the limit.
inline i32 residual(double ideal, i32 predicted, i32 m, i32 limit) {
  i64 q = static_cast<i64>(std::nearbyint((std::clamp<double>(ideal, -limit, limit) - predicted) / m));
  if (predicted + q * m > limit) --q;
  if (predicted + q * m < -limit) ++q;
  return static_cast<i32>(q);
}

// (5.9) ideal: n x 3 (Y, Co, Cg) in units of each channel's base step / 64.
template <class Coder>
void walk_colour(Coder& c, const Side& side, const double* ideal, i32* rec) {
  for (u32 i = 0; i < side.n; ++i) {
    const i32 m = side.multiplier[side.klass[i]];
    i32 p[3];
    side.predicted(rec, i, 3, p);
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
      rec[std::size_t(i) * 3 + k] = static_cast<i32>(value);
    }
  }
}

}  // namespace gsc
