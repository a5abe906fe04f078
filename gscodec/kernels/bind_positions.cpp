// Bindings of positions, repeats and classes.
#include "bindings.hpp"
#include "position.hpp"

namespace gsc {
namespace {

std::size_t sum_counts(Vector<u32> counts) {
  require(counts.shape(0) >= 1 && counts.shape(0) <= 4, "positions: 1 to 4 trees");
  std::size_t n = 0;
  for (std::size_t p = 0; p < counts.shape(0); ++p) n += counts.data()[p];
  require(n <= 65536, "positions: too many splats");
  return n;
}

nb::tuple read_positions(const Source& source, u32 depth, Vector<u32> counts) {
  source.need(165);
  const u32 trees = static_cast<u32>(counts.shape(0));
  const std::size_t n = sum_counts(counts);
  require(depth <= 20 && depth + 1 >= trees, "positions: bad depth");
  std::unique_ptr<i32[]> cells(new i32[n * 3]()), x(new i32[n * 3]);
  std::unique_ptr<u8[]> tree(new u8[n]);
  Status status;
  {
    nb::gil_scoped_release release;
    Decoder c = source.open();
    PositionWalk walk(c, nullptr, cells.get());
    for (u32 p = 0; p < trees && !c.failed(); ++p) walk.tree(depth - p, counts.data()[p]);
    status = c.finish();
    if (status == Status::ok) merge_trees(cells.get(), counts.data(), trees, x.get(), tree.get());
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(x), {n, 3}), owned(std::move(tree), {n}));
}

// cells: the trees' cells one after another, each tree in Morton order
Ops* write_positions(Matrix<i32> cells, u32 depth, Vector<u32> counts, u32 lanes) {
  check_lanes(lanes);
  const std::size_t n = sum_counts(counts);
  require(cells.shape(0) == n && cells.shape(1) == 3, "positions: bad shape");
  require(depth <= 20 && depth + 1 >= counts.shape(0), "positions: bad depth");
  std::size_t i = 0;
  for (u32 p = 0; p < counts.shape(0); ++p)
    for (const std::size_t last = i + counts.data()[p]; i < last; ++i)
      for (int k = 0; k < 3; ++k) {
        const i32 value = cells.data()[i * 3 + k];
        require(value >= 0 && value >> (depth - p) == 0, "positions: cell outside the tree");
        if (k == 2 && i + 1 < last) require(!morton_less(cells.data() + (i + 1) * 3, cells.data() + i * 3), "positions: not in Morton order");
      }
  Recorder c(lanes);
  {
    nb::gil_scoped_release release;
    PositionWalk walk(c, cells.data(), nullptr);
    for (u32 p = 0; p < counts.shape(0); ++p) walk.tree(depth - p, counts.data()[p]);
  }
  return recorded(c, lanes);
}

nb::tuple merge(Matrix<i32> cells, Vector<u32> counts) {
  const std::size_t n = sum_counts(counts);
  require(cells.shape(0) == n && cells.shape(1) == 3, "merge: bad shape");
  std::unique_ptr<i32[]> x(new i32[n * 3]);
  std::unique_ptr<u8[]> tree(new u8[n]);
  merge_trees(cells.data(), counts.data(), static_cast<u32>(counts.shape(0)), x.get(), tree.get());
  return nb::make_tuple(owned(std::move(x), {n, 3}), owned(std::move(tree), {n}));
}

// ---- duplicates and classes -----------------------------------------------------------------------------------

template <class Coder>
void walk_repeats(Coder& c, const i32* x, const u8* tree, std::size_t n, u8* repeat) {
  u32 v = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const bool same = i && tree[i] == tree[i - 1] && std::equal(x + 3 * i, x + 3 * i + 3, x + 3 * i - 3);
    if (!same) {
      repeat[i] = 0;
      continue;
    }
    const u32 s = c.symbol(v++, 0, repeat[i]);
    if (s > 1) return c.fail(Status::symbol);
    repeat[i] = static_cast<u8>(s);
  }
}

nb::tuple read_repeats(const Source& source, Matrix<i32> x, Vector<u8> tree) {
  source.need(1);
  const std::size_t n = x.shape(0);
  require(x.shape(1) == 3 && tree.shape(0) == n, "repeats: bad shape");
  std::unique_ptr<u8[]> repeat(new u8[n]());
  Decoder c = source.open();
  walk_repeats(c, x.data(), tree.data(), n, repeat.get());
  const Status status = c.finish();
  return nb::make_tuple(static_cast<int>(status), owned(std::move(repeat), {n}));
}

Ops* write_repeats(Matrix<i32> x, Vector<u8> tree, Vector<u8> repeat, u32 lanes) {
  check_lanes(lanes);
  const std::size_t n = x.shape(0);
  require(x.shape(1) == 3 && tree.shape(0) == n && repeat.shape(0) == n, "repeats: bad shape");
  std::vector<u8> copy(repeat.data(), repeat.data() + n);
  Recorder c(lanes);
  walk_repeats(c, x.data(), tree.data(), n, copy.data());
  return recorded(c, lanes);
}

template <class Coder>
void walk_classes(Coder& c, const u8* tree, std::size_t n, u32 classes, u32 cap, u8* klass) {
  u32 previous = 8;
  for (std::size_t i = 0; i < n; ++i) {
    const u32 s = c.symbol(static_cast<u32>(i), tree[i] * 9u + previous, klass[i]);
    if (s >= classes || std::min(s, cap) >> 1 != tree[i]) return c.fail(Status::klass);
    klass[i] = static_cast<u8>(previous = s);
  }
}

nb::tuple read_classes(const Source& source, Vector<u8> tree, u32 classes, u32 cap) {
  source.need(36);
  const std::size_t n = tree.shape(0);
  for (std::size_t i = 0; i < n; ++i) require(tree.data()[i] < 4, "classes: bad tree");
  std::unique_ptr<u8[]> klass(new u8[n]());
  Status status;
  {
    nb::gil_scoped_release release;
    Decoder c = source.open();
    walk_classes(c, tree.data(), n, classes, cap, klass.get());
    status = c.finish();
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(klass), {n}));
}

Ops* write_classes(Vector<u8> tree, Vector<u8> klass, u32 classes, u32 cap, u32 lanes) {
  check_lanes(lanes);
  const std::size_t n = tree.shape(0);
  require(klass.shape(0) == n, "classes: bad shape");
  std::vector<u8> copy(klass.data(), klass.data() + n);
  Recorder c(lanes);
  walk_classes(c, tree.data(), n, classes, cap, copy.data());
  return recorded(c, lanes);
}

}  // namespace

void bind_positions(nb::module_& m) {
  m.def("read_positions", &read_positions);
  m.def("write_positions", &write_positions, nb::rv_policy::take_ownership);
  m.def("merge_trees", &merge);
  m.def("read_repeats", &read_repeats);
  m.def("write_repeats", &write_repeats, nb::rv_policy::take_ownership);
  m.def("read_classes", &read_classes);
  m.def("write_classes", &write_classes, nb::rv_policy::take_ownership);
}

}  // namespace gsc
