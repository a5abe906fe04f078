// (3.8, 3.9) The tables and context maps of a parameter set: one lane, read with the built-in tables.
#pragma once
#include <algorithm>
#include <array>
#include <numeric>

#include "rans.hpp"

namespace gsc {

// The contexts of the lane, one for each built-in table.
constexpr u32 kMagnitudeChange = 0, kRank = 1, kBuiltIn = 2;
constexpr u32 kRankEscape = 15;
constexpr u32 kSymbols = 256;

// (3.8) One table into `row`, zeros before; its resolution.
inline u32 read_table(Decoder& c, u32* row) {
  const u32 resolution = 10 + c.uniform(0, 3);
  const u32 used = c.uniform(0, kSymbols) + 1;
  i32 magnitude[kSymbols], previous = 0;
  for (u32 s = 0; s < used; ++s) {
    previous += unzigzag(c.symbol(0, kMagnitudeChange));
    if (previous < 0 || previous > static_cast<i32>(resolution) + 1) c.fail(Status::table);
    if (c.failed()) return resolution;
    magnitude[s] = previous;
  }
  if (previous == 0) c.fail(Status::table);
  const u32 derived = static_cast<u32>(std::max_element(magnitude, magnitude + used) - magnitude);
  u32 others = 0;
  for (u32 s = 0; s < used; ++s) {
    if (s == derived || magnitude[s] == 0) continue;
    const u32 top = static_cast<u32>(magnitude[s]) - 1, bits = std::min(top, 3u);
    row[s] = 1u << top | c.bits(0, bits) << (top - bits);
    others += row[s];
  }
  if (others >= 1u << resolution) c.fail(Status::table);
  row[derived] = (1u << resolution) - others;
  return resolution;
}

// (3.9) The table of every context.
inline void read_map(Decoder& c, u32 tables, u8* out, std::size_t contexts) {
  if (c.uniform(0, 2) == 0) {
    std::fill_n(out, contexts, static_cast<u8>(c.uniform(0, tables)));
    return;
  }
  std::array<u8, kSymbols> recent;
  std::iota(recent.begin(), recent.end(), u8(0));
  for (std::size_t k = 0; k < contexts; ++k) {
    u32 place = c.symbol(0, kRank);
    if (place == kRankEscape) place = c.uniform(0, tables);
    if (place >= tables) return c.fail(Status::map);
    std::rotate(recent.begin(), recent.begin() + place, recent.begin() + place + 1);
    out[k] = recent[0];
  }
}

// (3.10) The table of a cluster: one of `own` first, then of `known` built-in ones; `standard` is that of the set.
inline u8 read_choice(Decoder& c, u32 standard, u32 own, u32 known) {
  const u32 code = c.symbol(0, kRank);
  if (code == kRankEscape) return static_cast<u8>(c.uniform(0, own + known));
  const i32 table = static_cast<i32>(standard) + unzigzag(code);
  if (table < 0 || table >= static_cast<i32>(known)) return c.fail(Status::map), 0;
  return static_cast<u8>(static_cast<i32>(own) + table);
}

}  // namespace gsc
