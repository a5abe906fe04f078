// What the bindings of motion share.
#pragma once
#include "bind_side.hpp"
#include "motion.hpp"

namespace gsc {

constexpr std::size_t kMostValues = std::size_t(1) << 24;  // of a stream (1.7)

inline void check_keys(std::size_t n, std::size_t keys, std::size_t width) {
  require(keys >= 1 && keys <= 4096 && width >= 1 && n <= 65536, "motion: bad shape");
  require(n * keys * width <= kMostValues, "motion: too many values");
}

inline Lifespans lives_of(std::optional<Matrix<u16>>& lives, std::size_t n) {
  require(!lives || (lives->shape(0) == n && lives->shape(1) == 2), "motion: one lifespan for each splat");
  return {lives ? lives->data() : nullptr};
}

}  // namespace gsc
