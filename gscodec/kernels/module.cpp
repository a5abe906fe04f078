// Python bindings of the kernels: shapes are checked here, nothing below trusts them again.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <stdexcept>

#include "position.hpp"
#include "reconstruct.hpp"

namespace nb = nanobind;
using namespace gsc;

namespace {

template <class T, class... Shape>
using In = nb::ndarray<const T, Shape..., nb::c_contig, nb::device::cpu>;
template <class T, class... Shape>
using Out = nb::ndarray<T, Shape..., nb::c_contig, nb::device::cpu>;
template <class T>
using Vector = In<T, nb::ndim<1>>;
template <class T>
using Matrix = In<T, nb::ndim<2>>;

void require(bool ok, const char* what) {
  if (!ok) throw std::invalid_argument(what);
}

template <class T>
nb::ndarray<nb::numpy, T> owned(std::unique_ptr<T[]> data, std::initializer_list<std::size_t> shape) {
  T* raw = data.release();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return nb::ndarray<nb::numpy, T>(raw, shape, owner);
}

// ---- tables and streams -------------------------------------------------------------------------------------

// Frequency tables, as look-ups for reading and as (start, frequency) for writing.
class Tables {
 public:
  // frequencies: tables x 256, each row summing to 2^resolution
  Tables(Matrix<u32> frequencies, Vector<u8> resolutions) {
    const std::size_t count = frequencies.shape(0);
    require(frequencies.shape(1) == 256 && resolutions.shape(0) == count && count <= 256, "tables: bad shape");
    frequency.assign(frequencies.data(), frequencies.data() + count * 256);
    start.resize(count * 256);
    for (std::size_t t = 0; t < count; ++t) {
      const u32 r = resolutions.data()[t];
      require(r >= 10 && r <= 12, "tables: bad resolution");
      offsets.push_back(static_cast<u32>(entries.size()));
      shifts.push_back(static_cast<u8>(24 - r));
      u32 at = 0;
      for (u32 s = 0; s < 256; ++s) {
        const u32 f = frequency[t * 256 + s];
        require(f <= (1u << r) - at, "tables: frequencies exceed the resolution");
        start[t * 256 + s] = at;
        for (u32 k = 0; k < f; ++k) entries.push_back(s | (f - 1) << 8 | at << 20);
        at += f;
      }
      require(at == 1u << r, "tables: frequencies must sum to 2^resolution");
    }
  }
  TableSet view() const { return {entries.data(), offsets.data(), shifts.data()}; }
  std::size_t count() const { return shifts.size(); }

  std::vector<u32> entries, offsets, frequency, start;
  std::vector<u8> shifts;
};

// The words of one stream and how they are to be read: tables, context map, lanes.
struct Source {
  const Tables& tables;
  std::vector<u8> map;
  Words words;

  Source(const Tables& t, Vector<u8> m, Vector<u8> bytes, Vector<u32> counts)
      : tables(t), map(m.data(), m.data() + m.shape(0)), words(checked(bytes, counts), counts.data(), static_cast<u32>(counts.shape(0))) {
    for (u8 k : map) require(k < t.count(), "stream: map names a missing table");
  }
  void need(std::size_t contexts) const { require(map.size() == contexts, "stream: context map of the wrong size"); }
  Decoder open() const { return Decoder(words, tables.view(), map.data()); }

 private:
  static const u8* checked(Vector<u8> bytes, Vector<u32> counts) {
    const std::size_t lanes = counts.shape(0);
    require(lanes == 1 || lanes == 2 || lanes == 4, "stream: 1, 2 or 4 lanes");
    u64 total = 0;
    for (std::size_t l = 0; l < lanes; ++l) total += counts.data()[l];
    require(bytes.shape(0) == total * 4, "stream: word counts do not match the bytes");
    return bytes.data();
  }
};

// The recorded values of one stream, before tables are known.
class Ops {
 public:
  std::vector<Op> ops;
  u32 lanes = 1;

  nb::ndarray<nb::numpy, u32> histogram(std::size_t contexts) const {
    std::unique_ptr<u32[]> h(new u32[contexts * 256]());
    for (const Op& op : ops)
      if (op.kind == 0) {
        require(op.context < contexts && op.value < 256, "ops: context or symbol out of range");
        ++h[std::size_t(op.context) * 256 + op.value];
      }
    return owned(std::move(h), {contexts, 256});
  }

  double raw_bits() const {
    double bits = 0;
    for (const Op& op : ops) bits += op.kind == 1 ? std::log2(double(op.aux)) : op.kind == 2 ? double(op.aux) : 0;
    return bits;
  }

  nb::tuple encode(const Tables& tables, Vector<u8> map) const {
    std::vector<std::vector<u32>> words(lanes);
    {
      nb::gil_scoped_release release;
      u64 state[4] = {};
      const auto push = [&](u32 l, u64 start, u64 freq) {
        u64 s = state[l];
        if (s >> 40 >= freq) {
          words[l].push_back(static_cast<u32>(s));
          s >>= 32;
        }
        state[l] = (s / freq << kPrecision) + s % freq + start;
      };
      for (std::size_t k = ops.size(); k-- > 0;) {
        const Op& op = ops[k];
        if (op.kind == 0) {
          require(op.context < map.shape(0) && map.data()[op.context] < tables.count() && op.value < 256, "ops: no such table");
          const std::size_t t = map.data()[op.context];
          const u32 f = tables.frequency[t * 256 + op.value];
          require(f != 0, "ops: symbol without frequency");
          const u32 shift = tables.shifts[t];
          push(op.lane, u64(tables.start[t * 256 + op.value]) << shift, u64(f) << shift);
        } else if (op.kind == 1) {
          const u64 start = uniform_start(op.value, op.aux);
          push(op.lane, start, uniform_start(op.value + 1, op.aux) - start);
        } else {
          push(op.lane, u64(op.value) << (24 - op.aux), u64(1) << (24 - op.aux));
        }
      }
      for (u32 l = 0; l < lanes; ++l) {
        for (u64 s = state[l]; s; s >>= 32) words[l].push_back(static_cast<u32>(s));
      }
    }
    std::size_t total = 0;
    for (const auto& w : words) total += w.size();
    std::unique_ptr<u32[]> out(new u32[total]), counts(new u32[lanes]);
    u32* at = out.get();
    for (u32 l = 0; l < lanes; ++l) {
      at = std::reverse_copy(words[l].begin(), words[l].end(), at);
      counts[l] = static_cast<u32>(words[l].size());
    }
    return nb::make_tuple(owned(std::move(out), {total}), owned(std::move(counts), {lanes}));
  }
};

Ops* recorded(Recorder& recorder, u32 lanes) {
  if (recorder.failed()) throw std::invalid_argument("recorded values out of range");
  auto* ops = new Ops;
  ops->ops = std::move(recorder.ops);
  ops->lanes = lanes;
  return ops;
}

void check_lanes(u32 lanes) { require(lanes == 1 || lanes == 2 || lanes == 4, "1, 2 or 4 lanes"); }

// Arbitrary steps, for tests and for the benchmark of the coder alone.
Ops* make_ops(Vector<u8> kinds, Vector<u16> contexts, Vector<u32> values, Vector<u32> aux, u32 lanes) {
  check_lanes(lanes);
  const std::size_t n = kinds.shape(0);
  require(contexts.shape(0) == n && values.shape(0) == n && aux.shape(0) == n, "ops: lengths differ");
  auto ops = std::make_unique<Ops>();
  ops->lanes = lanes;
  ops->ops.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const u32 a = aux.data()[i], v = values.data()[i];
    switch (kinds.data()[i]) {
      case 0: break;
      case 1: require(a >= 2 && a <= 65536 && v < a, "ops: bad uniform"); break;
      case 2: require(a >= 1 && a <= 24 && v >> a == 0, "ops: bad raw bits"); break;
      default: require(false, "ops: unknown kind");
    }
    ops->ops[i] = {contexts.data()[i], kinds.data()[i], static_cast<u8>(i & (lanes - 1)), v, a};
  }
  return ops.release();
}

nb::tuple run_ops(const Source& source, Vector<u8> kinds, Vector<u16> contexts, Vector<u32> aux) {
  const std::size_t n = kinds.shape(0);
  require(contexts.shape(0) == n && aux.shape(0) == n, "ops: lengths differ");
  std::unique_ptr<u32[]> out(new u32[n]());
  Decoder c = source.open();
  for (std::size_t i = 0; i < n && !c.failed(); ++i) {
    const u32 v = static_cast<u32>(i), a = aux.data()[i];
    if (kinds.data()[i] == 0) {
      require(contexts.data()[i] < source.map.size(), "ops: no such context");
      out[i] = c.symbol(v, contexts.data()[i]);
    } else if (kinds.data()[i] == 1) {
      require(a >= 1 && a <= 65536, "ops: bad uniform");
      out[i] = c.uniform(v, a);
    } else {
      require(a <= 24, "ops: bad raw bits");
      out[i] = c.bits(v, a);
    }
  }
  const Status status = c.finish();
  return nb::make_tuple(static_cast<int>(status), owned(std::move(out), {n}));
}

// Table symbols only, the lanes in registers: what an array decode of known contexts costs.
template <u32 L>
void decode_run(const Source& s, const u8* map, const u16* contexts, u8* out, std::size_t n, Lane* lanes) {
  const TableSet t = s.tables.view();
  const u32* entries = t.entries;
  std::size_t i = 0;
  Lane a[L];
  for (u32 l = 0; l < L; ++l) a[l] = lanes[l];
  const auto step = [&](Lane& lane, u32 table) {
    const u32 shift = t.shifts[table];
    const u32 slot = static_cast<u32>(lane.state) & kMask;
    const u32 e = entries[t.offsets[table] + (slot >> shift)];
    const u64 freq = static_cast<u64>(((e >> 8) & 0xFFF) + 1) << shift;
    lane.refill(freq * (lane.state >> kPrecision) + slot - ((e >> 20) << shift));
    return static_cast<u8>(e);
  };
  for (; i + L <= n; i += L)
    for (u32 l = 0; l < L; ++l) out[i + l] = step(a[l], contexts ? map[contexts[i + l]] : map[0]);
  for (u32 l = 0; i < n; ++i, ++l) out[i] = step(a[l], contexts ? map[contexts[i]] : map[0]);
  for (u32 l = 0; l < L; ++l) lanes[l] = a[l];
}

nb::tuple decode_symbols(const Source& source, std::size_t n, std::optional<Vector<u16>> contexts) {
  const u16* ctx = nullptr;
  if (contexts) {
    require(contexts->shape(0) == n, "symbols: one context each");
    ctx = contexts->data();
    for (std::size_t i = 0; i < n; ++i) require(ctx[i] < source.map.size(), "symbols: no such context");
  }
  require(!source.map.empty(), "symbols: empty map");
  std::unique_ptr<u8[]> out(new u8[n]);
  bool ok = true;
  {
    nb::gil_scoped_release release;
    Lane lanes[4];
    const u32 count = source.words.lanes;
    for (u32 l = 0; l < count; ++l) ok &= lanes[l].open(source.words.begin[l], source.words.end[l]);
    if (count == 4) decode_run<4>(source, source.map.data(), ctx, out.get(), n, lanes);
    else if (count == 2) decode_run<2>(source, source.map.data(), ctx, out.get(), n, lanes);
    else decode_run<1>(source, source.map.data(), ctx, out.get(), n, lanes);
    for (u32 l = 0; l < count; ++l) ok &= lanes[l].closed();
  }
  return nb::make_tuple(static_cast<int>(ok ? Status::ok : Status::end), owned(std::move(out), {n}));
}

// ---- positions ----------------------------------------------------------------------------------------------

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

// ---- predictor --------------------------------------------------------------------------------------------------

// terms: list of (n x 3 int32, k, s)
nb::tuple weights(const std::vector<std::tuple<Matrix<i32>, int, int>>& terms, u32 window, u32 p, Vector<u32> shrink,
                  Vector<u32> thresholds) {
  require(!terms.empty() && terms.size() <= 3, "weights: 1 to 3 distances");
  require(shrink.shape(0) == 6 && thresholds.shape(0) == 5 && window <= 16 && p >= 1 && p <= 4, "weights: bad set");
  PredictorSet set{window, p, {}, {}};
  for (int k = 0; k < 6; ++k) require((set.shrink[k] = shrink.data()[k]) <= 256, "weights: bad shrink");
  for (int k = 0; k < 5; ++k) set.thresholds[k] = thresholds.data()[k];
  const std::size_t n = std::get<0>(terms[0]).shape(0);
  for (const auto& [array, k, s] : terms)
    require(array.shape(0) == n && array.shape(1) == 3 && k >= 0 && k <= 255 && s >= 0 && s <= 31, "weights: bad distance");
  std::unique_ptr<u16[]> w(new u16[n * kWindow]);
  std::unique_ptr<u8[]> bucket(new u8[n]), nearest(new u8[n]);
  {
    nb::gil_scoped_release release;
    const std::size_t stride = n + kWindow;
    std::vector<i32> planes(terms.size() * 3 * stride);
    DistanceTerm distance[3];
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const auto& [array, k, s] = terms[t];
      for (int a = 0; a < 3; ++a) {
        i32* plane = planes.data() + (t * 3 + a) * stride + kWindow;
        for (std::size_t i = 0; i < n; ++i) plane[i] = array.data()[i * 3 + a];
        distance[t].component[a] = plane;
      }
      distance[t].k = k;
      distance[t].s = s;
    }
    predictor_weights(distance, static_cast<u32>(terms.size()), set, static_cast<u32>(n), w.get(), bucket.get(), nearest.get());
  }
  return nb::make_tuple(owned(std::move(w), {n, kWindow}), owned(std::move(bucket), {n}), owned(std::move(nearest), {n}));
}

// What an attribute's walk knows of each splat. `similar` is the result of `weights`, or None.
struct SideInfo {
  Vector<u8> klass;
  std::optional<std::tuple<Matrix<u16>, Vector<u8>, Vector<u8>>> similar;
  Side side{};

  SideInfo(Vector<u8> k, u32 classes, Vector<i32> multipliers,
           std::optional<std::tuple<Matrix<u16>, Vector<u8>, Vector<u8>>> s)
      : klass(k), similar(s) {
    const std::size_t n = klass.shape(0);
    require(classes >= 1 && classes <= 8 && multipliers.shape(0) == 8 && n <= 65536, "side: bad classes");
    for (int c = 0; c < 8; ++c)
      require((side.multiplier[c] = multipliers.data()[c]) >= 64 && side.multiplier[c] <= 8192, "side: bad multiplier");
    for (std::size_t i = 0; i < n; ++i) require(klass.data()[i] < classes, "side: bad class");
    side.n = static_cast<u32>(n);
    side.klass = klass.data();
    side.classes = classes;
    if (similar) {
      const auto& [w, b, near] = *similar;
      require(w.shape(0) == n && w.shape(1) == kWindow && b.shape(0) == n && near.shape(0) == n, "side: bad weights");
      for (std::size_t i = 0; i < n; ++i) {
        require(b.data()[i] < 6 && near.data()[i] <= std::min<std::size_t>(i, kWindow), "side: bad bucket");
        u32 sum = 0;
        for (u32 j = 0; j < kWindow; ++j) sum += w.data()[i * kWindow + j];
        require(sum <= 4096 + kWindow, "side: weights too heavy");
      }
      side.weights = w.data();
      side.bucket = b.data();
      side.nearest = near.data();
    }
  }
};

template <class T, class Walk>
nb::tuple read_rows(const Source& source, const SideInfo& info, std::size_t width, Walk&& walk) {
  std::unique_ptr<T[]> out(new T[info.side.n * width]());
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

void need_rows(const SideInfo& info, std::size_t rows, std::size_t columns, std::size_t expected) {
  require(rows == info.side.n && columns == expected, "attribute: bad shape");
}

nb::tuple read_scale(const Source& source, const SideInfo& info, i32 floor) {
  source.need(6 * info.side.classes + 512);
  return read_rows<i32>(source, info, 3, [&](Decoder& c, i32* rec) { walk_scale(c, info.side, floor, nullptr, rec); });
}
nb::tuple write_scale(const SideInfo& info, i32 floor, Matrix<double> ideal, u32 lanes) {
  need_rows(info, ideal.shape(0), ideal.shape(1), 3);
  return write_rows<i32>(info, 3, lanes, [&](Recorder& c, i32* rec) { walk_scale(c, info.side, floor, ideal.data(), rec); });
}

RotationSteps rotation_steps(i64 a, i64 b, i64 max_d, i64 max_t, const SideInfo& info) {
  require(a >= 1 && a <= 1 << 28 && b >= 1 && b <= 1 << 28 && max_d >= 1 && max_d <= 2048 && max_t >= 1 && max_t <= 2048, "rotation: bad steps");
  RotationSteps steps{a, b, max_d, max_t, {}};
  std::copy_n(info.side.multiplier, 8, steps.multiplier);
  return steps;
}
void check_scale(const SideInfo& info, Matrix<i32> scale) {
  need_rows(info, scale.shape(0), scale.shape(1), 3);
  for (std::size_t i = 0; i < info.side.n; ++i) {
    const i32* r = scale.data() + 3 * i;
    require(r[0] >= r[1] && r[1] >= r[2] && r[0] <= kRecMax && r[2] >= -kRecMax, "rotation: scales not in order");
  }
}
nb::tuple read_rotation(const Source& source, const SideInfo& info, i64 a, i64 b, i64 max_d, i64 max_t, Matrix<i32> scale) {
  source.need(672);
  check_scale(info, scale);
  const RotationSteps steps = rotation_steps(a, b, max_d, max_t, info);
  return read_rows<i32>(source, info, 4, [&](Decoder& c, i32* q) { walk_rotation(c, info.side, steps, scale.data(), nullptr, q); });
}
nb::tuple write_rotation(const SideInfo& info, i64 a, i64 b, i64 max_d, i64 max_t, Matrix<i32> scale, Matrix<double> ideal, u32 lanes) {
  check_scale(info, scale);
  need_rows(info, ideal.shape(0), ideal.shape(1), 9);
  const RotationSteps steps = rotation_steps(a, b, max_d, max_t, info);
  return write_rows<i32>(info, 4, lanes, [&](Recorder& c, i32* q) { walk_rotation(c, info.side, steps, scale.data(), ideal.data(), q); });
}

nb::tuple read_opacity(const Source& source, const SideInfo& info) {
  source.need(6 * info.side.classes);
  return read_rows<i32>(source, info, 1, [&](Decoder& c, i32* rec) { walk_opacity(c, info.side, nullptr, rec); });
}
nb::tuple write_opacity(const SideInfo& info, Vector<double> ideal, u32 lanes) {
  need_rows(info, ideal.shape(0), 1, 1);
  return write_rows<i32>(info, 1, lanes, [&](Recorder& c, i32* rec) { walk_opacity(c, info.side, ideal.data(), rec); });
}

nb::tuple read_colour(const Source& source, const SideInfo& info) {
  source.need(54 * info.side.classes);
  return read_rows<i32>(source, info, 3, [&](Decoder& c, i32* rec) { walk_colour(c, info.side, nullptr, rec); });
}
nb::tuple write_colour(const SideInfo& info, Matrix<double> ideal, u32 lanes) {
  need_rows(info, ideal.shape(0), ideal.shape(1), 3);
  return write_rows<i32>(info, 3, lanes, [&](Recorder& c, i32* rec) { walk_colour(c, info.side, ideal.data(), rec); });
}

// ---- harmonics ----------------------------------------------------------------------------------------------------

HarmonicsLayout harmonics_layout(u32 coefficients, Vector<u8> bounds) {
  require(coefficients == 3 || coefficients == 8 || coefficients == 15, "harmonics: 3, 8 or 15 coefficients");
  HarmonicsLayout layout{coefficients, static_cast<u32>(bounds.shape(0)), {}};
  require(layout.groups >= 1 && layout.groups <= 8, "harmonics: 1 to 8 groups");
  for (u32 g = 0; g < layout.groups; ++g) {
    layout.bounds[g + 1] = bounds.data()[g];
    require(layout.bounds[g + 1] > layout.bounds[g], "harmonics: bounds must ascend");
  }
  require(layout.bounds[layout.groups] == coefficients, "harmonics: last bound");
  return layout;
}

nb::tuple read_groups(const Source& source, const SideInfo& info, u32 coefficients, Vector<u8> bounds) {
  const HarmonicsLayout layout = harmonics_layout(coefficients, bounds);
  source.need(6 * info.side.classes * (layout.groups + 1));
  return read_rows<u8>(source, info, 1, [&](Decoder& c, u8* g) { walk_groups(c, info.side, layout, g); });
}
nb::tuple read_coefficients(const Source& source, const SideInfo& info, u32 coefficients, Vector<u8> bounds, Matrix<u8> groups) {
  const HarmonicsLayout layout = harmonics_layout(coefficients, bounds);
  source.need(layout.groups * info.side.classes * coefficients);
  need_rows(info, groups.shape(0), groups.shape(1), 1);
  std::vector<u8> g(groups.data(), groups.data() + info.side.n);
  for (u8 v : g) require(v <= layout.groups, "harmonics: bad group");
  return read_rows<i32>(source, info, layout.components(), [&](Decoder& c, i32* rec) { walk_coefficients(c, info.side, layout, g.data(), nullptr, {}, rec); });
}
// costs: bits of group numbers (contexts x (NG + 1)) and of tokens (contexts x 64), or None for plain rounding
nb::tuple write_harmonics(const SideInfo& info, u32 coefficients, Vector<u8> bounds, Matrix<float> ideal, float dead_zone,
                          std::optional<std::tuple<Matrix<float>, Matrix<float>, float>> known, u32 lanes) {
  check_lanes(lanes);
  const HarmonicsLayout layout = harmonics_layout(coefficients, bounds);
  need_rows(info, ideal.shape(0), ideal.shape(1), layout.components());
  const std::size_t n = info.side.n, width = layout.components();
  HarmonicsCosts costs{nullptr, nullptr, 0, dead_zone};
  if (known) {
    const auto& [group_bits, token_bits, lambda] = *known;
    require(group_bits.shape(0) == 6 * info.side.classes * (layout.groups + 1) && group_bits.shape(1) == layout.groups + 1, "harmonics: bad group costs");
    require(token_bits.shape(0) == layout.groups * info.side.classes * coefficients && token_bits.shape(1) == HarmonicsCosts::kTokens, "harmonics: bad costs");
    costs = {group_bits.data(), token_bits.data(), lambda, dead_zone};
  }
  std::unique_ptr<u8[]> groups(new u8[n]());
  std::unique_ptr<i32[]> rec(new i32[n * width]());
  Recorder first(lanes), second(lanes);
  {
    nb::gil_scoped_release release;
    walk_coefficients(second, info.side, layout, groups.get(), ideal.data(), costs, rec.get());
    walk_groups(first, info.side, layout, groups.get());
  }
  return nb::make_tuple(nb::cast(recorded(first, lanes), nb::rv_policy::take_ownership),
                        nb::cast(recorded(second, lanes), nb::rv_policy::take_ownership), owned(std::move(rec), {n, width}));
}

// ---- extra attributes -----------------------------------------------------------------------------------------------

// (5.11) words: n x w, each of `bits` bits.
template <class Coder>
void walk_channel(Coder& c, std::size_t n, u32 width, u32 bits, u32* words) {
  const u32 mask = bits == 32 ? ~0u : (1u << bits) - 1;
  const u32 half = 1u << (bits - 1);
  std::vector<u32> previous(width);
  u32 v = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (u32 k = 0; k < width; ++k, ++v) {
      u32& word = words[i * width + k];
      u32 z = 0;
      if constexpr (Coder::encoding) {
        const u32 d = (word - previous[k]) & mask;
        z = d < half ? d << 1 : ((~d & mask) << 1) | 1;
      }
      z = c.hybrid(v, k, z);
      if (z > mask) c.fail(Status::range);
      if (c.failed()) return;
      word = previous[k] = (previous[k] + ((z >> 1) ^ (0u - (z & 1)))) & mask;
    }
}

nb::tuple read_channel(const Source& source, std::size_t n, u32 width, u32 bits) {
  require(n <= 65536 && width >= 1 && width <= 510 && (bits == 8 || bits == 16 || bits == 32), "channel: bad shape");
  source.need(width);
  std::unique_ptr<u32[]> words(new u32[n * width]());
  Status status;
  {
    nb::gil_scoped_release release;
    Decoder c = source.open();
    walk_channel(c, n, width, bits, words.get());
    status = c.finish();
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(words), {n, width}));
}
Ops* write_channel(Matrix<u32> words, u32 bits, u32 lanes) {
  check_lanes(lanes);
  const std::size_t n = words.shape(0), width = words.shape(1);
  require(width >= 1 && width <= 510 && (bits == 8 || bits == 16 || bits == 32), "channel: bad shape");
  std::vector<u32> copy(words.data(), words.data() + n * width);
  Recorder c(lanes);
  {
    nb::gil_scoped_release release;
    walk_channel(c, n, static_cast<u32>(width), bits, copy.data());
  }
  return recorded(c, lanes);
}

// ---- exact values ---------------------------------------------------------------------------------------------------

// `source` gives the distinct splat behind every output row.
template <class F>
void each_row(Vector<u32> source, std::size_t distinct, std::size_t out_rows, F&& f) {
  const std::size_t n = source.shape(0);
  require(out_rows == n, "values: bad output");
  for (std::size_t i = 0; i < n; ++i) require(source.data()[i] < distinct, "values: bad row");
  nb::gil_scoped_release release;
  for (std::size_t i = 0; i < n; ++i) f(i, source.data()[i]);
}

void position_values(Matrix<i32> x, Vector<i64> origin, u32 mantissa, i32 exponent, Out<float, nb::ndim<2>> out) {
  const std::size_t n = x.shape(0);
  require(x.shape(1) == 3 && out.shape(0) == n && out.shape(1) == 3 && origin.shape(0) == 3, "positions: bad shape");
  const double unit = std::ldexp(1.0, exponent);
  const i32* in = x.data();
  float* to = out.data();
  for (std::size_t i = 0; i < n * 3; ++i) to[i] = round_once((2 * origin.data()[i % 3] + in[i]) * i64(mantissa), unit);
}
void scale_values(Matrix<i32> rec, Vector<u32> source, i64 step, i64 offset, bool dilated, i64 ln_tau, Out<float, nb::ndim<2>> out) {
  require(rec.shape(1) == 3 && out.shape(1) == 3, "scales: bad shape");
  each_row(source, rec.shape(0), out.shape(0), [&](std::size_t i, u32 at) {
    for (int k = 0; k < 3; ++k) out.data()[i * 3 + k] = round_once(log_scale_q20(rec.data()[at * 3 + k], step, offset, dilated, ln_tau), 0x1p-20);
  });
}
void rotation_values(Matrix<i32> q, Vector<u32> source, Out<float, nb::ndim<2>> out) {
  require(q.shape(1) == 4 && out.shape(1) == 4, "rotations: bad shape");
  each_row(source, q.shape(0), out.shape(0), [&](std::size_t i, u32 at) {
    for (int k = 0; k < 4; ++k) out.data()[i * 4 + k] = round_once(q.data()[at * 4 + k], 0x1p-24);
  });
}
void opacity_values(Matrix<i32> rec, Vector<u32> source, i64 step, i64 offset, Out<float, nb::ndim<1>> out) {
  require(rec.shape(1) == 1, "opacities: bad shape");
  each_row(source, rec.shape(0), out.shape(0), [&](std::size_t i, u32 at) { out.data()[i] = round_once(logit_q20(rec.data()[at], step, offset), 0x1p-20); });
}
void colour_values(Matrix<i32> rec, Vector<u32> source, Vector<i64> offset, Vector<i64> mantissa, i32 exponent, Out<float, nb::ndim<2>> out) {
  require(rec.shape(1) == 3 && out.shape(1) == 3 && offset.shape(0) == 3 && mantissa.shape(0) == 3, "colours: bad shape");
  const double unit = std::ldexp(1.0, exponent - 7);
  const i64 *o = offset.data(), *m = mantissa.data();
  each_row(source, rec.shape(0), out.shape(0), [&](std::size_t i, u32 at) {
    const i32* r = rec.data() + std::size_t(at) * 3;
    const i64 y = (o[0] + r[0]) * m[0], co = (o[1] + r[1]) * m[1], cg = (o[2] + r[2]) * m[2];
    out.data()[i * 3] = round_once(2 * y - cg + co, unit);
    out.data()[i * 3 + 1] = round_once(2 * y + cg, unit);
    out.data()[i * 3 + 2] = round_once(2 * y - cg - co, unit);
  });
}
void harmonics_values_out(Matrix<i32> rec, Vector<u32> source, std::optional<Matrix<i16>> s, std::optional<Vector<u8>> perm, Vector<i32> c, i32 exponent, Out<float, nb::ndim<3>> out) {
  const u32 k = static_cast<u32>(rec.shape(1) / 3);
  require((k == 3 || k == 8 || k == 15) && rec.shape(1) == 3 * k && out.shape(1) == k && out.shape(2) == 3 && c.shape(0) == 9, "harmonics: bad shape");
  require(!s || (s->shape(0) == k && s->shape(1) == k), "harmonics: bad basis");
  require(!perm || perm->shape(0) == 3 * k, "harmonics: bad permutation");
  if (perm)
    for (u32 j = 0; j < 3 * k; ++j) require(perm->data()[j] < 3 * k, "harmonics: bad permutation");
  const HarmonicsBasis basis{k, s ? s->data() : nullptr, perm ? perm->data() : nullptr, c.data(), exponent};
  each_row(source, rec.shape(0), out.shape(0), [&](std::size_t i, u32 at) {
    const i32* r = rec.data() + std::size_t(at) * 3 * k;
    float* to = out.data() + i * 3 * k;
    if (k == 15) harmonics_values_15(basis, r, to);
    else if (k == 8) harmonics_values_8(basis, r, to);
    else harmonics_values_3(basis, r, to);
  });
}

}  // namespace

NB_MODULE(_kernels, m) {
  m.doc() = "Hot integer loops; each has a plain twin in gscodec.reference. Status 0 is success.";
  nb::class_<Tables>(m, "Tables").def(nb::init<Matrix<u32>, Vector<u8>>()).def("__len__", &Tables::count);
  nb::class_<Source>(m, "Source").def(nb::init<const Tables&, Vector<u8>, Vector<u8>, Vector<u32>>(), nb::keep_alive<1, 2>());
  nb::class_<Ops>(m, "Ops")
      .def("histogram", &Ops::histogram)
      .def("raw_bits", &Ops::raw_bits)
      .def("encode", &Ops::encode)
      .def("__len__", [](const Ops& o) { return o.ops.size(); });
  nb::class_<SideInfo>(m, "Side").def(
      nb::init<Vector<u8>, u32, Vector<i32>, std::optional<std::tuple<Matrix<u16>, Vector<u8>, Vector<u8>>>>(),
      nb::arg("classes_of"), nb::arg("classes"), nb::arg("multipliers"), nb::arg("similar").none());
  m.def("make_ops", &make_ops, nb::rv_policy::take_ownership);
  m.def("run_ops", &run_ops);
  m.def("decode_symbols", &decode_symbols, nb::arg("source"), nb::arg("count"), nb::arg("contexts").none() = nb::none());
  m.def("read_positions", &read_positions);
  m.def("write_positions", &write_positions, nb::rv_policy::take_ownership);
  m.def("merge_trees", &merge);
  m.def("read_repeats", &read_repeats);
  m.def("write_repeats", &write_repeats, nb::rv_policy::take_ownership);
  m.def("read_classes", &read_classes);
  m.def("write_classes", &write_classes, nb::rv_policy::take_ownership);
  m.def("weights", &weights);
  m.def("read_scale", &read_scale);
  m.def("write_scale", &write_scale);
  m.def("read_rotation", &read_rotation);
  m.def("write_rotation", &write_rotation);
  m.def("read_opacity", &read_opacity);
  m.def("write_opacity", &write_opacity);
  m.def("read_colour", &read_colour);
  m.def("write_colour", &write_colour);
  m.def("read_groups", &read_groups);
  m.def("read_coefficients", &read_coefficients);
  m.def("write_harmonics", &write_harmonics, nb::arg("side"), nb::arg("coefficients"), nb::arg("bounds"), nb::arg("ideal"), nb::arg("dead_zone"), nb::arg("costs").none(), nb::arg("lanes"));
  m.def("read_channel", &read_channel);
  m.def("write_channel", &write_channel, nb::rv_policy::take_ownership);
  m.def("position_values", &position_values);
  m.def("scale_values", &scale_values);
  m.def("rotation_values", &rotation_values);
  m.def("opacity_values", &opacity_values);
  m.def("colour_values", &colour_values);
  m.def("harmonics_values", &harmonics_values_out, nb::arg("rec"), nb::arg("source"), nb::arg("basis").none(), nb::arg("perm").none(), nb::arg("colour"), nb::arg("exponent"), nb::arg("out"));
}
