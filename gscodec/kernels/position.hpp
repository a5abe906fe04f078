// (5.3) Positions: point counts of octree cells, split axis by axis, depth first.
#pragma once
#include "rans.hpp"

namespace gsc {

template <class Coder>
class PositionWalk {
 public:
  // `cells` (n x 3, sorted in Morton order) is read when encoding; `out` (n x 3) is written when decoding.
  PositionWalk(Coder& coder, const i32* cells, i32* out) : c_(coder), in_(cells), out_(out) {}

  void tree(u32 depth, u32 n) {
    base_ = done_;
    if (n) visit(0, 0, 0, depth, n);
  }

 private:
  Coder& c_;
  const i32* in_;
  i32* out_;
  u32 v_ = 0;
  u32 done_ = 0;
  u32 base_ = 0;

  u32 split(u32 n, u32 axis, u32 sibling, u32 want) {
    const u32 cls = n <= 7 ? n - 1 : n < 16 ? 7 : n < 64 ? 8 : n < 512 ? 9 : 10;
    const u32 context = (cls * 3 + axis) * 5 + sibling;
    const u32 v = v_++;
    if (n <= 7) {
      const u32 k = c_.symbol(v, context, want);
      if (k <= n) return k;
      c_.fail(Status::symbol);
      return 0;
    }
    u32 s = 0;
    if constexpr (Coder::encoding) s = want == 0 ? 0 : want == n ? 17 : 1 + ((want - 1) * 16) / (n - 1);
    s = c_.symbol(v, context, s);
    if (s == 0) return 0;
    if (s == 17) return n;
    if (s < 17) {
      const u32 low = 1 + ((s - 1) * (n - 1) + 15) / 16;
      const u32 high = 1 + (s * (n - 1) + 15) / 16;
      if (high > low) return low + c_.uniform(v, high - low, want - low);
    }
    c_.fail(Status::symbol);
    return 0;
  }

  void emit(u32 x, u32 y, u32 z) {
    if constexpr (!Coder::encoding) {
      i32* o = out_ + std::size_t(done_) * 3;
      o[0] = static_cast<i32>(x);
      o[1] = static_cast<i32>(y);
      o[2] = static_cast<i32>(z);
    }
    ++done_;
  }

  void visit(u32 x, u32 y, u32 z, u32 d, u32 n) {
    if (c_.failed()) return;
    if (n == 1) {
      const u32 mask = (1u << d) - 1;
      u32 bx = 0, by = 0, bz = 0;
      if constexpr (Coder::encoding) {
        const i32* p = in_ + std::size_t(done_) * 3;
        bx = static_cast<u32>(p[0]) & mask;
        by = static_cast<u32>(p[1]) & mask;
        bz = static_cast<u32>(p[2]) & mask;
      }
      if (d > 8) {
        bx = c_.bits(v_++, d, bx);
        by = c_.bits(v_++, d, by);
        bz = c_.bits(v_++, d, bz);
      } else if (d) {
        const u32 b = c_.bits(v_++, 3 * d, bx << 2 * d | by << d | bz);
        bx = b >> 2 * d;
        by = b >> d & mask;
        bz = b & mask;
      }
      emit(x << d | bx, y << d | by, z << d | bz);
      return;
    }
    if (d == 0) {
      for (u32 k = 0; k < n; ++k) emit(x, y, z);
      return;
    }
    u32 want[8] = {};
    if constexpr (Coder::encoding)
      for (u32 k = 0; k < n; ++k) {
        const i32* p = in_ + std::size_t(done_ + k) * 3;
        const u32 b = d - 1;
        ++want[(p[0] >> b & 1) << 2 | (p[1] >> b & 1) << 1 | (p[2] >> b & 1)];
      }
    u32 count[8] = {};
    const u32 nx = split(n, 0, 0, want[0] + want[1] + want[2] + want[3]);
    u32 first_low = 0, low = 0, total = 0;
    for (u32 h = 0; h < 2; ++h) {
      const u32 m = h ? n - nx : nx;
      if (m == 0) continue;
      const u32 sibling = h == 0 ? 0 : nx == 0 ? 4 : first_low == 0 ? 1 : first_low == nx ? 2 : 3;
      const u32 ny = split(m, 1, sibling, want[4 * h] + want[4 * h + 1]);
      if (h == 0) first_low = ny;
      for (u32 g = 0; g < 2; ++g) {
        const u32 q = g ? m - ny : ny;
        if (q == 0) continue;
        const u32 sib = total == 0 ? 0 : low == 0 ? 1 : low == total ? 2 : 3;
        const u32 nz = split(q, 2, sib, want[4 * h + 2 * g]);
        count[4 * h + 2 * g] = nz;
        count[4 * h + 2 * g + 1] = q - nz;
        low += nz;
        total += q;
      }
    }
    if (c_.failed()) return;
    for (u32 o = 0; o < 8; ++o)
      if (count[o]) visit(x << 1 | o >> 2, y << 1 | (o >> 1 & 1), z << 1 | (o & 1), d - 1, count[o]);
  }
};

// True when a comes before b in Morton order (x above y above z at each level).
inline bool morton_less(const i32* a, const i32* b) {
  u32 best = 0;
  int axis = 0;
  for (int k = 0; k < 3; ++k) {
    const u32 d = static_cast<u32>(a[k] ^ b[k]);
    if (best < d && best < (best ^ d)) {
      best = d;
      axis = k;
    }
  }
  return a[axis] < b[axis];
}

// (5.4) Merges the trees' cells (each in Morton order) into X = (2i+1) << p, and the tree p of each.
inline void merge_trees(const i32* cells, const u32* counts, u32 trees, i32* x, u8* tree) {
  u32 at[4], end[4], first = 0;
  for (u32 p = 0; p < trees; ++p) {
    at[p] = first;
    end[p] = first += counts[p];
  }
  i32 head[4][3];
  const auto load = [&](u32 p) {
    for (int k = 0; k < 3; ++k) head[p][k] = (2 * cells[std::size_t(at[p]) * 3 + k] + 1) << p;
  };
  for (u32 p = 0; p < trees; ++p)
    if (at[p] < end[p]) load(p);
  for (u32 i = 0; i < first; ++i) {
    u32 best = trees;
    for (u32 p = 0; p < trees; ++p)
      if (at[p] < end[p] && (best == trees || morton_less(head[p], head[best]))) best = p;
    for (int k = 0; k < 3; ++k) x[std::size_t(i) * 3 + k] = head[best][k];
    tree[i] = static_cast<u8>(best);
    if (++at[best] < end[best]) load(best);
  }
}

}  // namespace gsc
