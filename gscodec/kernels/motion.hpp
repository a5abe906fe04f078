// (12.5) Masks, lifespans and channels of motion: one walk each, for reading and for writing.
//
// Rows are the chunk's distinct splats, keys are 1 to F. What is decoded of key f depends on keys up to f only, so that a
// reader may stop after any key.
#pragma once
#include "attributes.hpp"

namespace gsc {

constexpr u32 kMaskContexts = 192, kMaskBits = 6;

struct Lifespans {  // n x 2: key of birth, key of death; null: from 0 on, for ever
  const u16* rows = nullptr;

  bool has_mask(u32 i, u32 key) const {  // alive, and born before
    return !rows || (rows[2 * std::size_t(i)] < key && key < rows[2 * std::size_t(i) + 1]);
  }
};

// `wanted` and `rows`: n x 2, birth and death.
template <class Coder>
void walk_lifespans(Coder& c, u32 n, u32 keys, const u16* wanted, u16* rows) {
  for (u32 i = 0; i < n; ++i) {
    u32 birth = 0, rest = 0;
    if constexpr (Coder::encoding) birth = wanted[2 * i], rest = keys + 1 - wanted[2 * i + 1];
    birth = c.hybrid(2 * i, 0, birth);
    if (birth > keys) c.fail(Status::motion_value);
    if (c.failed()) return;
    rest = c.hybrid(2 * i + 1, 1, rest);
    if (rest > keys - birth) c.fail(Status::motion_value);
    if (c.failed()) return;
    rows[2 * i] = static_cast<u16>(birth);
    rows[2 * i + 1] = static_cast<u16>(keys + 1 - rest);
  }
}

// `wanted` and `masks`: keys x n, those of splats without one are 0. `allowed`: the bits that have a stream.
template <class Coder>
void walk_masks(Coder& c, const Similar* similar, Lifespans lives, u32 n, u32 keys, u32 allowed, const u8* wanted, u8* masks) {
  u32 number = 0;
  for (u32 f = 1; f <= keys; ++f) {
    u8* mask = masks + std::size_t(f - 1) * n;
    for (u32 i = 0; i < n; ++i) {
      mask[i] = 0;
      if (!lives.has_mask(i, f)) continue;
      const u32 nearest = similar ? similar->nearest[i] : 0, back = nearest ? nearest : i > 0 ? 1 : 0;
      const u32 b = back ? mask[i - back] : 0, a = f > 1 ? (mask - n)[i] : 0;
      u32 want = 0;
      if constexpr (Coder::encoding) want = wanted[std::size_t(f - 1) * n + i];
      const u32 value = c.symbol(number++, 64 * (a == 0 ? 0 : a == b ? 1 : 2) + b, want);
      if (value & ~allowed) c.fail(Status::motion_symbol);
      if (c.failed()) return;
      mask[i] = static_cast<u8>(value);
    }
  }
}

// What a stream of channels is: its width, groups, side contexts, and where it starts.
struct Channels {
  u32 width, groups, views;
  const u8* group;   // of each component
  const u8* view;    // of each splat; null: whether its bit was set at the key before (views is 2), or 0 (1)
  const i32* start;  // n x width, rec[0]; null: zeros
  bool extrapolates;
  i32 limit;
  u32 bit;  // of the masks

  u32 contexts(u32 classes) const { return groups * views * classes * 18; }
};

inline i32 predict_wide(const u16* w, const i32* plane, std::size_t i) {
  const i32* before = plane + i - kWindow;
  i64 sum = 2048;
  for (u32 t = 0; t < kWindow; ++t) sum += i64(w[t]) * before[t];
  return static_cast<i32>(sum >> 12);
}

// The multiple of `unit` that is nearest to r; 8, 16 ... less one, as they begin the range of a token (3.6).
inline i32 coarsened(i32 r, i32 unit) {
  const i32 size = (std::abs(r) + unit / 2) / unit * unit;
  if (r < 0) return -size;
  return size >= 8 && (size & (size - 1)) == 0 ? size - 1 : size;
}

// masks: keys x n; rec: keys x n x width. ideal: the same shape, in rec units. `left`, for writing: a splat whose values
// are all within so many steps of what they would be without being coded is not coded, and loses its bit in `kept`.
// `coarse`: n x width, or none: residuals are multiples of it, or a little less where that takes fewer raw bits.
template <class Coder>
void walk_channels(Coder& c, const Side& side, const Channels& what, u32 keys, const u8* masks, const double* ideal,
                   double left, u8* kept, i32* rec, const i32* coarse = nullptr) {
  const u32 n = side.n, width = what.width;
  const std::size_t plane = kWindow + std::size_t(n) + kBlock, row = std::size_t(n) * width;
  std::vector<i32> changes(side.similar ? plane * width : 0);  // d of this key, component after component
  std::vector<i32> zeros(what.start ? 0 : row);
  const i32* before = what.start ? what.start : zeros.data();  // rec[f - 1]
  const i32* earlier = before;                                 // rec[f - 2]
  u32 number = 0;
  const auto is_set = [&](u32 f, u32 i) -> u32 {  // bit of key f, counted from 1
    return f == 0 ? 0 : ((Coder::encoding ? kept : masks)[std::size_t(f - 1) * n + i] >> what.bit) & 1;
  };
  for (u32 f = 1; f <= keys; ++f) {
    i32* now = rec + (f - 1) * row;
    std::copy_n(before, row, now);
    for (u32 i = 0; i < n; ++i) {
      const std::size_t at = std::size_t(i) * width;
      bool is_coded = is_set(f, i);
      if constexpr (Coder::encoding) {
        const double m = side.step[side.klass[i]];
        if (is_coded && left >= 0) {
          const double* want = ideal + (f - 1) * row + at;
          is_coded = false;
          for (u32 w = 0; w < width; ++w) is_coded |= std::abs(want[w] - before[at + w]) > left * m;
          if (!is_coded) kept[std::size_t(f - 1) * n + i] &= static_cast<u8>(~(1u << what.bit));
        }
      }
      if (!is_coded) {
        if (side.similar)
          for (u32 w = 0; w < width; ++w) changes[plane * w + kWindow + i] = 0;
        continue;
      }
      const i32 m = side.step[side.klass[i]];
      const u32 v = what.view ? what.view[i] : what.views > 1 ? is_set(f - 1, i) : 0;
      const u32 bucket = side.bucket_of(i);
      const u16* weights = side.similar ? side.similar->weights.get() + std::size_t(i) * kWindow : nullptr;
      u32 magnitude = 0;
      for (u32 w = 0; w < width; ++w) {
        i32 start = before[at + w];
        if (what.extrapolates) start += before[at + w] - earlier[at + w];
        i32* d = side.similar ? changes.data() + plane * w + kWindow : nullptr;
        const i32 p = d ? predict_wide(weights, d, i) : 0;
        const u32 context = (((what.group[w] * what.views + v) * side.classes + side.klass[i]) * 6 + bucket) * 3 + magnitude;
        i32 r = 0;
        if constexpr (Coder::encoding) {
          r = residual(ideal[(f - 1) * row + at + w], start + p, m, what.limit);
          if (coarse && coarse[at + w] > 1) {
            const i32 rough = coarsened(r, coarse[at + w]);
            if (in_range(start + p + i64(rough) * m, what.limit)) r = rough;
          }
        }
        r = c.integer(number++, context, r);
        magnitude = size_of(r);
        const i64 change = p + i64(r) * m, value = start + change;
        if (!in_range(value, what.limit)) c.fail(Status::motion_value);
        if (c.failed()) return;
        if (d) d[i] = static_cast<i32>(change);
        now[at + w] = static_cast<i32>(value);
      }
    }
    earlier = before;
    before = now;
  }
}

}  // namespace gsc
