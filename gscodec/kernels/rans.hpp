// The entropy coder of chapter 3: rANS with 64-bit state, 32-bit words and 24-bit probabilities.
//
// `Decoder` and `Recorder` have the same methods, so one walk over a stream's values serves reading and
// writing: reading ignores the wanted value and returns the coded one, recording stores the wanted one as `Op`s.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
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
enum class Status : int {
  ok = 0,
  first_word = 1,
  end = 2,
  token = 3,
  symbol = 4,
  klass = 5,
  range = 6,
  rotation = 7,
  table = 8,
  map = 9,
  unknown = 10,
  source = 11,
  value = 12,
  bits = 13,
  motion_symbol = 14,
  motion_value = 15,
};

constexpr u32 kPrecision = 24;
constexpr u32 kMask = (1u << kPrecision) - 1;

inline u32 zigzag(i32 r) { return (static_cast<u32>(r) << 1) ^ static_cast<u32>(r >> 31); }
inline i32 unzigzag(u32 z) { return static_cast<i32>((z >> 1) ^ (0u - (z & 1))); }
// (3.4) ceil(k 2^24 / n). The quotient of integers under 2^53 is never rounded up to an integer, so that truncation
// gives its floor; a division of doubles takes a third of the time of one of 64-bit integers.
inline u32 uniform_start(u32 k, u32 n) {
  return static_cast<u32>(static_cast<double>((static_cast<u64>(k) << kPrecision) + n - 1) / static_cast<double>(n));
}

struct SymbolRange {  // the slots of a symbol, of 2^24
  u32 freq, start;
};

// A frequency table. Few bytes a slot, as every slot is equally likely and many tables are in use at once.
struct Table {
  u8 symbols[1 << 12];      // by slot >> (24 - resolution)
  SymbolRange ranges[256];  // by symbol
};

// How the symbols of a context are read.
struct Context {
  const Table* table;
  u32 shift;  // 24 - resolution
};

// The words of one stream, copied from bytes of any alignment.
struct Words {
  std::unique_ptr<u32[]> data;
  const u32* begin[4];
  const u32* end[4];
  u32 lanes;

  Words(const u8* bytes, const u32* counts, u32 lanes_) : lanes(lanes_) {
    std::size_t total = 0;
    for (u32 l = 0; l < lanes; ++l) total += counts[l];
    data = std::make_unique_for_overwrite<u32[]>(total);
    if constexpr (std::endian::native == std::endian::little) {
      if (total) std::memcpy(data.get(), bytes, total * 4);
    } else {
      for (std::size_t i = 0; i < total; ++i)
        data[i] = u32(bytes[4 * i]) | u32(bytes[4 * i + 1]) << 8 | u32(bytes[4 * i + 2]) << 16 | u32(bytes[4 * i + 3]) << 24;
    }
    const u32* at = data.get();
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
  u32 slot() const { return static_cast<u32>(state) & kMask; }
  // (3.2) The state after a value that owns `freq` slots from `start` on.
  u64 after(SymbolRange range) const { return static_cast<u64>(range.freq) * (state >> kPrecision) + slot() - range.start; }
  void refill(u64 next) {
    if (next < (u64(1) << 32)) [[unlikely]]
      if (at != end) next = next << 32 | *at++;
    state = next;
  }
  bool closed() const { return state == 0 && at == end; }
};

class Decoder {
 public:
  static constexpr bool encoding = false;
  Status status = Status::ok;

  Decoder(const Words& words, const Context* contexts) : contexts_(contexts), mask_(words.lanes - 1) {
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
    const Context& c = contexts_[context];
    const u32 symbol = c.table->symbols[lane.slot() >> c.shift];
    lane.refill(lane.after(c.table->ranges[symbol]));
    return symbol;
  }
  u32 bits(u32 v, u32 b, u32 = 0) {
    if (b == 0) return 0;
    Lane& lane = lanes_[v & mask_];
    const u32 slot = lane.slot(), rest = kPrecision - b;
    lane.refill((lane.state >> kPrecision) << rest | (slot & ((1u << rest) - 1)));
    return slot >> rest;
  }
  u32 uniform(u32 v, u32 n, u32 = 0) {
    if (n == 1) return 0;
    Lane& lane = lanes_[v & mask_];
    const u32 k = static_cast<u32>((static_cast<u64>(lane.slot()) * n) >> kPrecision);
    const u32 start = uniform_start(k, n);
    lane.refill(lane.after({uniform_start(k + 1, n) - start, start}));
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
  const Context* contexts_;
  u32 mask_;
  Lane lanes_[4];
};

// One coding step, as `Steps` gives it.
struct Op {
  enum Kind : u32 { symbol, uniform, bits };
  Kind kind;
  u32 lane;
  u32 context;  // of a symbol
  u32 value;
  u32 aux;      // uniform: how many values there are; bits: how many
};

// Coding steps in the order of a reader, to be looked at from the last to the first, as a writer needs them. A scene
// has tens of them for each splat, so that nearly all take one word; from the highest bit on:
//
//   symbol   0 0, lane (2 bits), 0 (4), context (16), symbol (8)
//   uniform  0 1, lane (2), number of values (28); the value is in the word before
//   bits     1, lane (2), how many (5), value (24)
class Steps {
 public:
  void symbol(u32 lane, u32 context, u32 value) { add(lane << 28 | context << 8 | value); }
  void uniform(u32 lane, u32 n, u32 value) { words_.push_back(value), add(1u << 30 | lane << 28 | n); }
  void bits(u32 lane, u32 b, u32 value) { add(1u << 31 | lane << 29 | b << 24 | value); }
  std::size_t size() const { return count_; }
  void shrink_to_fit() { words_.shrink_to_fit(); }

  template <class Job>
  void backwards(const Job& job) const {
    for (std::size_t k = words_.size(); k-- > 0;) {
      const u32 word = words_[k];
      if (word >> 31)
        job(Op{Op::bits, word >> 29 & 3, 0, word & kMask, word >> 24 & 31});
      else if (word >> 30)
        job(Op{Op::uniform, word >> 28 & 3, 0, words_[--k], word & ((1u << 28) - 1)});
      else
        job(Op{Op::symbol, word >> 28 & 3, word >> 8 & 0xFFFF, word & 0xFF, 0});
    }
  }

 private:
  void add(u32 word) { words_.push_back(word), ++count_; }

  std::vector<u32> words_;
  std::size_t count_ = 0;
};

class Recorder {
 public:
  static constexpr bool encoding = true;
  Steps steps;
  Status status = Status::ok;

  explicit Recorder(u32 lanes) : mask_(lanes - 1) {}
  void fail(Status s) {
    if (status == Status::ok) status = s;
  }
  bool failed() const { return status != Status::ok; }
  Status finish() const { return status; }

  u32 symbol(u32 v, u32 context, u32 want) {
    if (want > 0xFF || context > 0xFFFF) [[unlikely]]
      fail(Status::symbol);
    else
      steps.symbol(v & mask_, context, want);
    return want;
  }
  u32 bits(u32 v, u32 b, u32 want) {
    if (b == 0) return want;
    if (b > kPrecision || want >> b) [[unlikely]]
      fail(Status::range);
    else
      steps.bits(v & mask_, b, want);
    return want;
  }
  u32 uniform(u32 v, u32 n, u32 want) {
    if (n <= 1) return want;
    if (n >> 28) [[unlikely]]
      fail(Status::range);
    else
      steps.uniform(v & mask_, n, want);
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
