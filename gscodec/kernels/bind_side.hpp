// What the bindings of attributes share.
#pragma once
#include "bindings.hpp"
#include "harmonics.hpp"

namespace gsc {

// What an attribute's walk knows of each splat. `found` is the result of `find_similar`, or None.
struct SideInfo {
  Vector<u8> klass;
  Side side{};

  SideInfo(Vector<u8> k, u32 classes, Vector<i32> multipliers, const Similar* found) : klass(k) {
    const std::size_t n = klass.shape(0);
    require(classes >= 1 && classes <= 8 && multipliers.shape(0) == 8 && n <= 65536, "side: bad classes");
    for (int c = 0; c < 8; ++c) {
      const i32 m = multipliers.data()[c];
      require(m >= 64 && m <= 8192, "side: bad multiplier");
      side.step[c] = Divisor(m);
    }
    u8 greatest = 0;
    for (std::size_t i = 0; i < n; ++i) greatest = std::max(greatest, klass.data()[i]);
    require(greatest < classes, "side: bad class");
    require(!found || found->n == n, "side: bad weights");
    side.n = static_cast<u32>(n);
    side.klass = klass.data();
    side.classes = classes;
    side.similar = found;
  }
};

template <class T, class Walk>
nb::tuple read_rows(const Source& source, const SideInfo& info, std::size_t width, Walk&& walk) {
  auto out = std::make_unique_for_overwrite<T[]>(info.side.n * width);
  Status status;
  {
    nb::gil_scoped_release release;
    Decoder c = source.open();
    walk(c, out.get());
    status = c.finish();
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(out), {info.side.n, width}));
}

template <class T, class Walk>
nb::tuple write_rows(const SideInfo& info, std::size_t width, u32 lanes, Walk&& walk) {
  check_lanes(lanes);
  std::unique_ptr<T[]> out(new T[info.side.n * width]());
  Recorder c(lanes);
  {
    nb::gil_scoped_release release;
    walk(c, out.get());
  }
  return nb::make_tuple(nb::cast(recorded(c, lanes), nb::rv_policy::take_ownership), owned(std::move(out), {info.side.n, width}));
}

inline void need_rows(const SideInfo& info, std::size_t rows, std::size_t columns, std::size_t expected) {
  require(rows == info.side.n && columns == expected, "attribute: bad shape");
}

}  // namespace gsc
