// (12.7) Motion as mixtures of a few rigid motions: streams, and positions and rotations at one moment.
#pragma once
#include "motion.hpp"
#include "polynomial.hpp"

namespace gsc {

constexpr u32 kTrajectoryContexts = 48;

// rec: keys x bases x width. `wanted`: recs of the same shape, within the bound.
template <class Coder>
void walk_trajectories(Coder& c, u32 keys, u32 bases, u32 width, i64 bound, bool extrapolates, const i32* wanted, i32* rec) {
  const u32 row = bases * width;
  std::vector<i32> residuals(row);  // of the key before
  u32 number = 0;
  for (u32 j = 0; j < keys; ++j)
    for (u32 k = 0; k < row; ++k, ++number) {
      i64 start = j > 0 ? rec[number - row] : 0;
      if (extrapolates && j >= 2) start += i64(rec[number - row]) - rec[number - 2 * row];
      const u32 context = 16 * std::min(j, 2u) + level(std::min(std::abs(residuals[k]), 255));
      i32 r = 0;
      if constexpr (Coder::encoding) r = static_cast<i32>(wanted[number] - start);
      r = c.integer(number, context, r);
      const i64 value = start + r;
      if (!in_range(value, bound)) c.fail(Status::motion_value);
      if (c.failed()) return;
      residuals[k] = r;
      rec[number] = static_cast<i32>(value);
    }
}

// shares: n x bases, those of a splat with its bit set sum to `levels`, the others are 0.
template <class Coder>
void walk_shares(Coder& c, const Side& side, u32 bases, i32 levels, const u8* mask, const u16* wanted, u16* shares) {
  const u32 last = bases - 1;
  std::vector<Plane> planes(last, Plane(side.n));
  u32 number = 0;
  for (u32 i = 0; i < side.n; ++i) {
    u16* row = shares + std::size_t(i) * bases;
    std::fill_n(row, bases, u16(0));
    if (!(mask[i] & 1)) continue;
    i32 left = levels;
    u32 magnitude = 0;
    for (u32 k = 0; k < last && left > 0; ++k) {
      const i32 p = std::clamp(side.predicted(planes[k].data(), i), 0, left);
      const u32 kind = p == 0 ? 0 : p < left ? 1 : 2;
      const u32 context = ((6u * side.klass[i] + side.bucket_of(i)) * 3 + kind) * 3 + magnitude;
      i32 r = 0;
      if constexpr (Coder::encoding) r = wanted[std::size_t(i) * bases + k] - p;
      r = c.integer(number + k, context, r);
      magnitude = size_of(r);
      const i64 value = i64(p) + r;
      if (value < 0 || value > left) c.fail(Status::motion_value);
      if (c.failed()) return;
      row[k] = static_cast<u16>(value);
      planes[k].data()[i] = static_cast<i32>(value);
      left -= static_cast<i32>(value);
    }
    row[last] = static_cast<u16>(left);
    number += last;
  }
}

// ---- values

struct Vector3 {
  i64 of[3];
  bool is_zero() const { return (of[0] | of[1] | of[2]) == 0; }
};

inline Vector3 cross(const Vector3& a, const Vector3& b) {
  return {{a.of[1] * b.of[2] - a.of[2] * b.of[1], a.of[2] * b.of[0] - a.of[0] * b.of[2],
           a.of[0] * b.of[1] - a.of[1] * b.of[0]}};
}

// Times a power of two: 25 bits for the largest component.
inline Vector3 levelled(const Vector3& v) {
  u64 largest = 0;
  for (const i64 x : v.of) largest = std::max(largest, static_cast<u64>(std::abs(x)));
  const int excess = static_cast<int>(std::bit_width(largest)) - 25;
  Vector3 out;
  for (int k = 0; k < 3; ++k) out.of[k] = excess >= 0 ? v.of[k] >> excess : v.of[k] * (i64(1) << -excess);
  return out;
}

// Of length 2^24; `v` is levelled.
inline Vector3 unit(const Vector3& v) {
  double f[3], square = 0;
  for (int k = 0; k < 3; ++k) f[k] = static_cast<double>(v.of[k]);
  for (int k = 0; k < 3; ++k) square += f[k] * f[k];
  const double n = std::floor(std::sqrt(square));
  Vector3 out;
  for (int k = 0; k < 3; ++k)  // as in `turn`
    out.of[k] = static_cast<i64>((f[k] * 0x1p25 + n * (1 + 0x1p26)) / (2 * n)) - (1 << 25);
  return out;
}

// t 2^s, to the nearest, within 2^50
inline i64 aligned(i64 t, i32 s) {
  constexpr i64 bound = i64(1) << 50;
  if (s <= -30) return 0;
  if (s < 0) return (t + (i64(1) << (-s - 1))) >> -s;
  const i64 most = s > 50 ? 0 : bound >> s;  // beyond it, the bound
  if (t > most) return bound;
  if (t < -most) return -bound;
  return t * (i64(1) << std::min(s, 50));
}

// What is the same at all times.
class Mixture {
 public:
  std::size_t splats = 0;
  u32 bases = 0;
  i64 levels = 1;
  i32 shift = 0;    // from the exponent of the chunk to that of translations
  double scale = 1; // the unit of positions
  std::vector<u32> source;     // of each splat
  std::vector<i64> position;   // of each splat, 3
  std::vector<i32> quaternion; // of each distinct one, 4
  std::vector<u32> first;      // of each distinct one: its part of the next two; empty where it does not move
  std::vector<u8> basis;
  std::vector<u16> share;

  // `six` and `three`: values of each basis.
  void at(const i64* six, const i64* three, float* out, float* turned) const;
};

// (12.7) The rotation whose first two columns come nearest to a and b; false if there is none.
inline bool orthonormal(const Vector3& a, const Vector3& b, Vector3* columns) {
  if (a.is_zero() || b.is_zero()) return false;
  const Vector3 right = levelled(a), normal = cross(right, levelled(b));
  if (normal.is_zero()) return false;
  columns[0] = unit(right);
  columns[2] = unit(levelled(normal));
  columns[1] = cross(columns[2], columns[0]);
  for (i64& v : columns[1].of) v = (v + (1 << 23)) >> 24;
  return true;
}

// A quaternion of any length, from the largest of its components.
inline void quaternion_from_columns(const Vector3* columns, i64* p) {
  const i64 one = i64(1) << 24;
  const auto [xx, xy, xz] = columns[0].of;
  const auto [yx, yy, yz] = columns[1].of;
  const auto [zx, zy, zz] = columns[2].of;
  const i64 rows[4][4] = {{one + xx + yy + zz, yz - zy, zx - xz, xy - yx},
                          {yz - zy, one + xx - yy - zz, xy + yx, zx + xz},
                          {zx - xz, xy + yx, one - xx + yy - zz, yz + zy},
                          {xy - yx, zx + xz, yz + zy, one - xx - yy + zz}};
  int largest = 0;
  for (int m = 1; m < 4; ++m)
    if (rows[m][m] > rows[largest][largest]) largest = m;
  std::copy_n(rows[largest], 4, p);
  shift_to_25_bits(p);
}

inline void Mixture::at(const i64* six, const i64* three, float* out, float* turned) const {
  constexpr int half = 26;
  for (std::size_t i = 0; i < splats; ++i) {
    const std::size_t d = source[i];
    const i64* place = position.data() + 3 * i;
    i64 at[3] = {place[0], place[1], place[2]};
    i32 q[4];
    std::copy_n(quaternion.data() + 4 * d, 4, q);
    if (first[d] < first[d + 1]) {
      i64 values[9] = {};
      for (u32 e = first[d]; e < first[d + 1]; ++e) {
        for (int k = 0; k < 6; ++k) values[k] += share[e] * six[6 * basis[e] + k];
        for (int k = 0; k < 3; ++k) values[6 + k] += share[e] * three[3 * basis[e] + k];
      }
      Vector3 columns[3];
      const bool rotates = orthonormal({{values[0], values[1], values[2]}}, {{values[3], values[4], values[5]}}, columns);
      for (int r = 0; r < 3; ++r) {
        const i64 sum = values[6 + r] + (levels >> 1), quotient = sum / levels;
        const i64 by = aligned(quotient - (quotient * levels > sum), shift);  // rounded down
        if (rotates) {
          i64 high = 0, low = 0;
          for (int k = 0; k < 3; ++k) {
            high += columns[k].of[r] * (place[k] >> half);
            low += columns[k].of[r] * (place[k] & ((i64(1) << half) - 1));
          }
          at[r] = 4 * high + ((low + (1 << 23)) >> 24);
        }
        at[r] += by;
      }
      if (rotates) {
        i64 p[4];
        quaternion_from_columns(columns, p);
        turn(p, quaternion.data() + 4 * d, q);
      }
    }
    for (int k = 0; k < 3; ++k) out[3 * i + k] = round_once(static_cast<double>(at[k]), scale);
    for (int k = 0; k < 4; ++k) turned[4 * i + k] = round_once(q[k], 0x1p-24);
  }
}

}  // namespace gsc
