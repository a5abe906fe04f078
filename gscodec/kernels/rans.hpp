// The entropy coder of chapter 3: rANS with 64-bit state, 32-bit words and 24-bit probabilities.
//
// `Decoder` and `Recorder` have the same methods, so one walk over a stream's values serves reading and
// writing: reading ignores the wanted value and returns the coded one, recording stores the wanted one as `Op`s.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace gsc {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

// What a kernel reports; Python turns it into the typed error of the same meaning.
enum class Status : int { ok = 0, first_word = 1, end = 2, token = 3, symbol = 4, klass = 5, range = 6, rotation = 7 };

constexpr u32 kPrecision = 24;
constexpr u32 kMask = (1u << kPrecision) - 1;

inline u32 zigzag(i32 r) { return (static_cast<u32>(r) << 1) ^ static_cast<u32>(r >> 31); }
inline i32 unzigzag(u32 z) { return static_cast<i32>((z >> 1) ^ (0u - (z & 1))); }
inline u32 uniform_start(u32 k, u32 n) {  // (3.4) ceil(k 2^24 / n)
  return static_cast<u32>(((static_cast<u64>(k) << kPrecision) + n - 1) / n);
}

// One look-up per slot: symbol in bits 0..7, frequency - 1 in 8..19, start in 20..31, all at resolution r.
struct TableSet {
  const u32* entries;    // all look-ups, one after another
  const u32* offsets;    // first entry of each table
  const u8* shifts;      // 24 - r of each table
};

// The words of one stream, copied so that one word past every lane may be read.
struct Words {
  std::vector<u32> data;
  const u32* begin[4];
  const u32* end[4];
  u32 lanes;

  Words(const u8* bytes, const u32* counts, u32 lanes_) : lanes(lanes_) {
    std::size_t total = 0;
    for (u32 l = 0; l < lanes; ++l) total += counts[l];
    data.resize(total + 1);
    if constexpr (std::endian::native == std::endian::little) {
      if (total) std::memcpy(data.data(), bytes, total * 4);
    } else {
      for (std::size_t i = 0; i < total; ++i)
        data[i] = u32(bytes[4 * i]) | u32(bytes[4 * i + 1]) << 8 | u32(bytes[4 * i + 2]) << 16 | u32(bytes[4 * i + 3]) << 24;
    }
    const u32* at = data.data();
    for (u32 l = 0; l < lanes; ++l) {
      begin[l] = at;
      at += counts[l];
      end[l] = at;
    }
  }
};

struct Lane {
  u64 state = 0;
  const u32* at = nullptr;
  const u32* end = nullptr;

  // (3.2) False when the first word is zero.
  bool open(const u32* first, const u32* last) {
    at = first;
    end = last;
    state = 0;
    if (at != end && *at == 0) return false;
    for (int k = 0; k < 2 && at != end; ++k) state = state << 32 | *at++;
    return true;
  }
  void advance(u32 start, u32 freq) {
    const u64 slot = state & kMask;
    refill(static_cast<u64>(freq) * (state >> kPrecision) + slot - start);
  }
  void refill(u64 next) {
    const bool low = (next < (u64(1) << 32)) & (at != end);
    const u64 filled = next << 32 | *at;  // readable: Words keeps one word past the last lane
    state = low ? filled : next;
    at += low;
  }
  bool closed() const { return state == 0 && at == end; }
};

class Decoder {
 public:
  static constexpr bool encoding = false;
  Status status = Status::ok;

  Decoder(const Words& words, const TableSet& tables, const u8* map)
      : tables_(tables), map_(map), mask_(words.lanes - 1) {
    for (u32 l = 0; l < words.lanes; ++l)
      if (!lanes_[l].open(words.begin[l], words.end[l])) fail(Status::first_word);
  }
  void fail(Status s) {
    if (status == Status::ok) status = s;
  }
  bool failed() const { return status != Status::ok; }
  Status finish() {
    if (status == Status::ok)
      for (u32 l = 0; l <= mask_; ++l)
        if (!lanes_[l].closed()) status = Status::end;
    return status;
  }

  u32 symbol(u32 v, u32 context, u32 = 0) {
    Lane& lane = lanes_[v & mask_];
    const u32 table = map_[context];
    const u32 shift = tables_.shifts[table];
    const u32 slot = static_cast<u32>(lane.state) & kMask;
    const u32 entry = tables_.entries[tables_.offsets[table] + (slot >> shift)];
    const u64 freq = static_cast<u64>(((entry >> 8) & 0xFFF) + 1) << shift;
    const u32 start = (entry >> 20) << shift;
    lane.refill(freq * (lane.state >> kPrecision) + slot - start);
    return entry & 0xFF;
  }
  u32 bits(u32 v, u32 b, u32 = 0) {
    if (b == 0) return 0;
    Lane& lane = lanes_[v & mask_];
    const u32 slot = static_cast<u32>(lane.state) & kMask;
    const u32 value = slot >> (kPrecision - b);
    lane.advance(value << (kPrecision - b), 1u << (kPrecision - b));
    return value;
  }
  u32 uniform(u32 v, u32 n, u32 = 0) {
    if (n == 1) return 0;
    Lane& lane = lanes_[v & mask_];
    const u32 slot = static_cast<u32>(lane.state) & kMask;
    const u32 k = static_cast<u32>((static_cast<u64>(slot) * n) >> kPrecision);
    const u32 start = uniform_start(k, n);
    lane.advance(start, uniform_start(k + 1, n) - start);
    return k;
  }
  u32 raw(u32 v, u32 b, u32 = 0) {
    if (b <= 24) return bits(v, b);
    const u32 low = bits(v, 16);
    return bits(v, b - 16) << 16 | low;
  }
  u32 hybrid(u32 v, u32 context, u32 = 0) {
    const u32 token = symbol(v, context);
    if (token < 16) [[likely]] return token;
    const u32 n = 4 + ((token - 16) >> 2);
    if (n > 31) {
      fail(Status::token);
      return 0;
    }
    return 1u << n | ((token - 16) & 3) << (n - 2) | raw(v, n - 2);
  }
  i32 integer(u32 v, u32 context, i32 = 0) { return unzigzag(hybrid(v, context)); }

 private:
  TableSet tables_;
  const u8* map_;
  u32 mask_;
  Lane lanes_[4];
};

// One coding step. kind 0: table symbol (context, value); 1: uniform (value of aux); 2: raw bits (aux of them).
struct Op {
  u16 context;
  u8 kind;
  u8 lane;
  u32 value;
  u32 aux;
};
static_assert(sizeof(Op) == 12);

class Recorder {
 public:
  static constexpr bool encoding = true;
  std::vector<Op> ops;
  Status status = Status::ok;

  explicit Recorder(u32 lanes) : mask_(lanes - 1) {}
  void fail(Status s) {
    if (status == Status::ok) status = s;
  }
  bool failed() const { return status != Status::ok; }
  Status finish() const { return status; }

  u32 symbol(u32 v, u32 context, u32 want) {
    ops.push_back({static_cast<u16>(context), 0, static_cast<u8>(v & mask_), want, 0});
    return want;
  }
  u32 bits(u32 v, u32 b, u32 want) {
    if (b) ops.push_back({0, 2, static_cast<u8>(v & mask_), want, b});
    return want;
  }
  u32 uniform(u32 v, u32 n, u32 want) {
    if (n > 1) ops.push_back({0, 1, static_cast<u8>(v & mask_), want, n});
    return want;
  }
  u32 raw(u32 v, u32 b, u32 want) {
    if (b <= 24) return bits(v, b, want);
    bits(v, 16, want & 0xFFFF);
    bits(v, b - 16, want >> 16);
    return want;
  }
  u32 hybrid(u32 v, u32 context, u32 want) {
    if (want < 16) return symbol(v, context, want);
    const u32 n = static_cast<u32>(std::bit_width(want)) - 1;
    symbol(v, context, 16 + ((n - 4) << 2) + ((want >> (n - 2)) & 3));
    raw(v, n - 2, want & ((1u << (n - 2)) - 1));
    return want;
  }
  i32 integer(u32 v, u32 context, i32 want) { return unzigzag(hybrid(v, context, zigzag(want))); }

 private:
  u32 mask_;
};

}  // namespace gsc
