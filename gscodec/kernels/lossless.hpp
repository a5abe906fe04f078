// The rows of the lossless profile (11.7 to 11.10): one walk over the values serves reading and writing.
//
// Sums of products are exact in doubles: under 257 * 2^15 * 2^25 < 2^53, whatever the order (11.8).
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <vector>

#include "clones.hpp"
#include "rans.hpp"

namespace gsc {

constexpr u32 kMaxWords = 256;
constexpr u32 kMaxRows = 1 << 18;
constexpr i32 kMaxFixed = (1 << 24) - 1;

enum class Coding : u8 { constant = 0, difference = 1, bytes = 2, number = 3 };

struct RowPlan {
  u32 words = 0, numbers = 0, contexts = 2;
  std::vector<Coding> coding;
  std::vector<u32> width;     // bits of each word
  std::vector<u32> constant;  // of a constant word
  std::vector<u32> first;     // first context of each word
  std::vector<i32> exponent;  // of each number: X = v 2^exponent
  std::vector<u32> low;       // bits at the end that are 0
  std::vector<double> bias, spread, previous, weight, growth;  // weight, growth: [earlier][later]
};

constexpr u32 kNumberContexts = 20, kDifferenceContexts = 3;

// (11.8) Quarter octaves: four times the exponent, and two more bits.
inline i32 quarters(u64 n) {
  const int e = std::bit_width(n) - 1;
  return 4 * e + static_cast<i32>((e >= 2 ? n >> (e - 2) : n << (2 - e)) & 3);
}

// (11.8) v 2^b, towards 0, within 24 bits.
inline i32 fixed_from_pattern(u32 u, i32 b) {
  const i32 e = static_cast<i32>(u >> 23 & 255);
  if (e == 0) return 0;
  const i32 shift = e - 150 + b;
  const i32 m = static_cast<i32>((u & 0x7FFFFF) | 0x800000);
  const i32 x = shift > 0 ? kMaxFixed : shift < -24 ? 0 : m >> -shift;
  return u >> 31 ? -x : x;
}

// (11.8) The pattern of p 2^-b, p not 0.
inline u32 pattern_from_fixed(i32 p, i32 b) {
  const u32 a = static_cast<u32>(p < 0 ? -p : p);
  const i32 n = std::bit_width(a);
  return (p < 0 ? 0x80000000u : 0u) | static_cast<u32>(126 + n - b) << 23 | ((a << (24 - n)) & 0x7FFFFF);
}

inline u32 ordered(u32 u) { return u >> 31 ? ~u : u | 0x80000000u; }
inline u32 pattern_from_ordered(u32 o) { return o >> 31 ? o & 0x7FFFFFFFu : ~o; }

struct BitReader {
  const u8* at;
  const u8* end;
  u64 have = 0;
  u32 count = 0;
  bool is_short = false;

  u32 take(u32 n) {  // up to 32
    while (count < n) {
      if (at == end) {
        is_short = true;
        return 0;
      }
      have |= u64(*at++) << count;
      count += 8;
    }
    const u32 value = static_cast<u32>(have & ((u64(1) << n) - 1));
    have >>= n;
    count -= n;
    return value;
  }
  // (11.7) Only the zeros that fill the last byte are left.
  bool closed() const { return at == end && count < 8 && have == 0; }
};

struct BitWriter {
  std::vector<u8> bytes;
  u64 have = 0;
  u32 count = 0;

  void put(u32 value, u32 n) {
    have |= u64(value) << count;
    for (count += n; count >= 8; count -= 8, have >>= 8) bytes.push_back(static_cast<u8>(have));
  }
  void close() {
    if (count) bytes.push_back(static_cast<u8>(have));
    have = count = 0;
  }
};

// Reads a block. The wanted value is ignored.
struct RowReader {
  static constexpr bool encoding = false;
  Decoder symbols;
  BitReader low;
  u32 number = 0;
  Status status = Status::ok;

  u32 symbol(u32 context, u32 = 0) { return symbols.symbol(number++, context); }
  u32 bits(u32 n, u32 = 0) {
    const u32 value = low.take(n);
    if (low.is_short) fail(Status::bits);
    return value;
  }
  void fail(Status s) {
    if (status == Status::ok) status = s;
  }
};

// Records a block: symbols as context << 8 | value, to be coded last to first once tables are known.
struct RowRecorder {
  static constexpr bool encoding = true;
  std::vector<u32> symbols;
  BitWriter low;
  std::vector<u64> low_bits;  // of each word
  u32 word = 0;
  Status status = Status::ok;

  u32 symbol(u32 context, u32 value) {
    symbols.push_back(context << 8 | value);
    return value;
  }
  u32 bits(u32 n, u32 value) {
    low.put(value, n);
    if (word < low_bits.size()) low_bits[word] += n;
    return value;
  }
  void fail(Status s) {
    if (status == Status::ok) status = s;
  }
};

GSC_CLONES inline void add_row(double* __restrict p, double* __restrict s, const double* __restrict w,
                               const double* __restrict g, double x, double e, u32 from, u32 to) {
  GSC_NO_ALIAS
  for (u32 k = from; k < to; ++k) {
    p[k] += w[k] * x;
    s[k] += g[k] * e;
  }
}

template <class Coder>
class RowWalk {
 public:
  // `cells` rows x words: written when reading. `sources`, writing only: row to repeat from, -1 for none.
  RowWalk(const RowPlan& plan, Coder& coder, u32* cells, const i32* sources)
      : plan_(plan), c_(coder), cells_(cells), sources_(sources), sums_(2 * plan.numbers), last_(plan.numbers) {}

  void run(u32 rows) {
    for (u32 i = 0; i < rows && c_.status == Status::ok; ++i) row(i);
  }

 private:
  void row(u32 i) {
    u32* const cell = cells_ + std::size_t(i) * plan_.words;
    const u32* const before = i ? cell - plan_.words : nullptr;
    const u32* source = nullptr;
    const i32 wanted = Coder::encoding ? sources_[i] : -1;
    had_source_ = c_.symbol(had_source_, wanted >= 0);
    if (had_source_ > 1) return c_.fail(Status::unknown);
    if (had_source_) {
      if (i == 0) return c_.fail(Status::source);
      const u32 k = c_.bits(std::bit_width(i - 1), static_cast<u32>(wanted));
      if (c_.status != Status::ok) return;
      if (k >= i) return c_.fail(Status::source);
      source = cells_ + std::size_t(k) * plan_.words;
    }
    const u32 m = plan_.numbers;
    double* const p = sums_.data();
    double* const s = p + m;
    for (u32 j = 0; j < m; ++j) {
      p[j] = plan_.previous[j] * last_[j];
      s[j] = 0;
    }
    u32 kind = 0, j = 0;
    for (u32 w = 0; w < plan_.words && c_.status == Status::ok; ++w) {
      if constexpr (Coder::encoding) c_.word = w;
      switch (plan_.coding[w]) {
        case Coding::constant: cell[w] = plan_.constant[w]; break;
        case Coding::difference: difference(w, cell[w], before ? before[w] : 0); break;
        case Coding::bytes: bytes(w, cell[w]); break;
        case Coding::number: {
          const i32 at = fix(plan_.bias[j] + std::floor(p[j] * (1.0 / 4096)), -kMaxFixed);
          const i32 spread = fix(plan_.spread[j] + std::floor(s[j] * (1.0 / 4096)), 1);
          kind = number(w, j, kind, cell[w], before ? before + w : nullptr, source ? source + w : nullptr, at, spread);
          const i32 x = fixed_from_pattern(cell[w], plan_.exponent[j]);
          last_[j] = x;
          add_row(p, s, &plan_.weight[std::size_t(j) * m], &plan_.growth[std::size_t(j) * m], x, std::abs(x - at), j + 1, m);
          ++j;
        }
      }
    }
    if constexpr (Coder::encoding) c_.word = plan_.words;  // the next source belongs to no word
  }

  static i32 fix(double v, i32 least) {
    return static_cast<i32>(std::min<double>(kMaxFixed, std::max<double>(least, v)));
  }

  // (11.10) A word as the difference to the row before.
  void difference(u32 w, u32& cell, u32 before) {
    const u32 bits = plan_.width[w], mask = bits == 32 ? 0xFFFFFFFFu : (1u << bits) - 1;
    u32 z = 0;
    if constexpr (Coder::encoding) {
      const u32 d = (cell - before) & mask;
      z = d >> (bits - 1) ? ((mask - d) << 1 | 1) & mask : d << 1;
    }
    u32& size = difference_size(w);
    u32 token = z, n = 0;  // z has `bits` bits
    if (Coder::encoding && z >= 16) {
      n = static_cast<u32>(std::bit_width(z)) - 1;
      token = 16 + ((n - 4) << 2) + (z >> (n - 2) & 3);
    }
    token = c_.symbol(plan_.first[w] + size, token);
    if (token >= 16) {
      n = 4 + ((token - 16) >> 2);
      if (n >= bits) return c_.fail(Status::unknown);
      z = 1u << n | ((token - 16) & 3) << (n - 2) | c_.bits(n - 2, z & ((1u << (n - 2)) - 1));
    } else {
      z = token;
    }
    size = token == 0 ? 0 : token < 16 ? 1 : 2;
    if (!Coder::encoding) cell = (before + ((z >> 1) ^ (0u - (z & 1)))) & mask;
  }
  u32& difference_size(u32 w) {
    if (sizes_.empty()) sizes_.resize(plan_.words);
    return sizes_[w];
  }

  // (11.10) A word byte by byte, the highest first.
  void bytes(u32 w, u32& cell) {
    const u32 count = plan_.width[w] / 8;
    u32 value = 0;
    for (u32 k = 0; k < count; ++k)
      value = value << 8 | c_.symbol(plan_.first[w] + k, cell >> (8 * (count - 1 - k)) & 255);
    if (!Coder::encoding) cell = value;
  }

  // (11.9) A number; what kind it was.
  u32 number(u32 w, u32 j, u32 kind_before, u32& cell, const u32* before, const u32* source, i32 at, i32 spread) {
    u32 kind = 0;
    if constexpr (Coder::encoding) kind = cell == 0 ? 1 : source && cell == *source ? 2 : before && cell == *before ? 3 : 0;
    kind = c_.symbol(plan_.first[w] + kind_before * 2 + (source ? 1 : 0), kind);
    if (kind > 3 || (kind == 2 && !source) || (kind == 3 && !before)) {
      c_.fail(Status::unknown);
      return 0;
    }
    if (kind == 0) return value(w, j, cell, at, spread), 0;
    if (!Coder::encoding) cell = kind == 1 ? 0 : kind == 2 ? *source : *before;
    return kind;
  }

  void value(u32 w, u32 j, u32& cell, i32 at, i32 spread) {
    const u32 t = plan_.low[j];
    const i32 b = plan_.exponent[j], size = quarters(spread);
    const u32 magnitude = static_cast<u32>(at < 0 ? -at : at);
    const i32 ratio = at ? quarters(magnitude) - size : -64;
    const u32 context = plan_.first[w] + 8;
    if (ratio < 8) {  // near 0: exponent and two bits as they are
      const i32 reference = size + 4 * (127 - b);
      u32 s = 0;
      i32 d = 0;
      if constexpr (Coder::encoding) {
        d = static_cast<i32>((cell & 0x7FFFFFFF) >> 21) - reference;
        if (d >= -40 && d <= 21) s = 1 + 2 * static_cast<u32>(d + 40) + ((cell >> 31) ^ (at < 0));
      }
      s = c_.symbol(context + static_cast<u32>(std::clamp((ratio + 12) >> 1, 0, 9)), s);
      if (s == 0) return escape(t, cell);
      d = static_cast<i32>((s - 1) >> 1) - 40;
      const i32 top = reference + d;
      if (s > 124) return c_.fail(Status::unknown);
      if (top < 0 || top > 1023) return c_.fail(Status::value);
      const u32 rest = c_.bits(21 - t, (cell & 0x1FFFFF) >> t) << t;
      if (!Coder::encoding) cell = (((s - 1) & 1) ^ (at < 0)) << 31 | static_cast<u32>(top) << 21 | rest;
    } else {  // far from 0: the distance to the prediction, counted in numbers between
      const u32 centre = ordered(pattern_from_fixed(at, b)) >> t;
      const i32 reference = size + 4 * (24 - static_cast<i32>(std::bit_width(magnitude))) - 4 * static_cast<i32>(t);
      u32 s = 0, distance = 0;
      if constexpr (Coder::encoding) {
        const u32 o = ordered(cell) >> t;
        distance = o < centre ? centre - o : o - centre;
        if (distance && distance < 0x80000000u) {
          const i32 d = quarters(distance) - reference;
          if (d >= -40 && d <= 21) s = 1 + 2 * static_cast<u32>(d + 40) + ((o < centre) ^ (at < 0));
        }
      }
      s = c_.symbol(context + 10 + std::min((static_cast<u32>(ratio) - 8) >> 3, 1u), s);
      if (s == 0) return escape(t, cell);
      if (s > 124) return c_.fail(Status::unknown);
      const i32 top = reference + static_cast<i32>((s - 1) >> 1) - 40;
      const i32 e = top >> 2;
      if (top < 0 || e > 30 || (e == 0 && (top & 3)) || (e == 1 && (top & 1))) return c_.fail(Status::value);
      const u32 lead = 4u | (top & 3);
      if (e >= 2)
        distance = lead << (e - 2) | c_.bits(static_cast<u32>(e - 2), distance & ((1u << (e - 2)) - 1));
      else
        distance = lead >> (2 - e);
      if (c_.status != Status::ok || Coder::encoding) return;
      const bool below = (((s - 1) & 1) != 0) != (at < 0);
      if (below ? distance > centre : distance > (0xFFFFFFFFu >> t) - centre) return c_.fail(Status::value);
      const u32 o = below ? centre - distance : centre + distance;
      cell = pattern_from_ordered(t ? o << t | (o >> (31 - t) ? 0 : (1u << t) - 1) : o);
    }
  }

  void escape(u32 t, u32& cell) {
    const u32 rest = c_.bits(32 - t, cell >> t);
    if (!Coder::encoding) cell = rest << t;
  }

  const RowPlan& plan_;
  Coder& c_;
  u32* cells_;
  const i32* sources_;
  std::vector<double> sums_, last_;
  std::vector<u32> sizes_;
  u32 had_source_ = 0;
};

}  // namespace gsc
