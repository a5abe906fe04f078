// What the binding files share. Shapes are checked in them; the kernels do not check again.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>

#include "rans.hpp"

namespace nb = nanobind;

namespace gsc {

template <class T, class... Shape>
using In = nb::ndarray<const T, Shape..., nb::c_contig, nb::device::cpu>;
template <class T, class... Shape>
using Out = nb::ndarray<T, Shape..., nb::c_contig, nb::device::cpu>;
template <class T>
using Vector = In<T, nb::ndim<1>>;
template <class T>
using Matrix = In<T, nb::ndim<2>>;

inline void require(bool ok, const char* what) {
  if (!ok) throw std::invalid_argument(what);
}

template <class T>
nb::ndarray<nb::numpy, T> owned(std::unique_ptr<T[]> data, std::initializer_list<std::size_t> shape) {
  T* raw = data.release();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return nb::ndarray<nb::numpy, T>(raw, shape, owner);
}

// Frequency tables, as reading and writing need them.
class Tables {
 public:
  // frequencies: tables x 256, each row summing to 2^resolution
  Tables(Matrix<u32> frequencies, Vector<u8> resolutions) {
    const std::size_t count = frequencies.shape(0);
    require(frequencies.shape(1) == 256 && resolutions.shape(0) == count && count <= 256, "tables: bad shape");
    tables_ = std::make_unique_for_overwrite<Table[]>(count);
    for (std::size_t t = 0; t < count; ++t) {
      const u32 r = resolutions.data()[t], shift = kPrecision - r;
      require(r >= 10 && r <= 12, "tables: bad resolution");
      shifts_.push_back(static_cast<u8>(shift));
      u32 at = 0;
      for (u32 s = 0; s < 256; ++s) {
        const u32 f = frequencies.data()[t * 256 + s];
        require(f <= (1u << r) - at, "tables: frequencies exceed the resolution");
        tables_[t].ranges[s] = {f << shift, at << shift};
        std::memset(tables_[t].symbols + at, static_cast<int>(s), f);
        at += f;
      }
      require(at == 1u << r, "tables: frequencies must sum to 2^resolution");
    }
  }
  std::size_t count() const { return shifts_.size(); }
  Context context(std::size_t t) const { return {&tables_[t], shifts_[t]}; }

 private:
  std::unique_ptr<Table[]> tables_;
  std::vector<u8> shifts_;
};

// The words of one stream and how they are to be read: tables, context map, lanes.
struct Source {
  std::vector<Context> contexts;
  Words words;

  Source(const Tables& tables, Vector<u8> map, Vector<u8> bytes, Vector<u32> counts)
      : words(checked(bytes, counts), counts.data(), static_cast<u32>(counts.shape(0))) {
    contexts.reserve(map.shape(0));
    for (std::size_t k = 0; k < map.shape(0); ++k) {
      require(map.data()[k] < tables.count(), "stream: map names a missing table");
      contexts.push_back(tables.context(map.data()[k]));
    }
  }
  void need(std::size_t count) const { require(contexts.size() == count, "stream: context map of the wrong size"); }
  Decoder open() const { return Decoder(words, contexts.data()); }

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
  Steps steps;
  u32 lanes = 1;

  nb::ndarray<nb::numpy, u32> histogram(std::size_t contexts) const {
    std::unique_ptr<u32[]> h(new u32[contexts * 256]());
    steps.backwards([&](const Op& op) {
      if (op.kind != Op::symbol) return;
      require(op.context < contexts, "ops: context out of range");
      ++h[std::size_t(op.context) * 256 + op.value];
    });
    return owned(std::move(h), {contexts, 256});
  }

  double raw_bits() const {
    double bits = 0;
    steps.backwards([&](const Op& op) { bits += op.kind == Op::uniform ? std::log2(double(op.aux)) : op.kind == Op::bits ? double(op.aux) : 0; });
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
      steps.backwards([&](const Op& op) {
        if (op.kind == Op::symbol) {
          require(op.context < map.shape(0) && map.data()[op.context] < tables.count(), "ops: no such table");
          const SymbolRange range = tables.context(map.data()[op.context]).table->ranges[op.value];
          require(range.freq != 0, "ops: symbol without frequency");
          push(op.lane, range.start, range.freq);
        } else if (op.kind == Op::uniform) {
          const u64 start = uniform_start(op.value, op.aux);
          push(op.lane, start, uniform_start(op.value + 1, op.aux) - start);
        } else {
          push(op.lane, u64(op.value) << (24 - op.aux), u64(1) << (24 - op.aux));
        }
      });
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

inline Ops* recorded(Recorder& recorder, u32 lanes) {
  if (recorder.failed()) throw std::invalid_argument("recorded values out of range");
  auto* ops = new Ops;
  ops->steps = std::move(recorder.steps);
  ops->steps.shrink_to_fit();  // a whole scene is held until tables are chosen
  ops->lanes = lanes;
  return ops;
}

inline void check_lanes(u32 lanes) { require(lanes == 1 || lanes == 2 || lanes == 4, "1, 2 or 4 lanes"); }

// One for each topic: the rows of module.cpp.
void bind_streams(nb::module_& m);
void bind_positions(nb::module_& m);
void bind_attributes(nb::module_& m);
void bind_harmonics(nb::module_& m);
void bind_values(nb::module_& m);
void bind_render(nb::module_& m);
void bind_lossless(nb::module_& m);
void bind_motion(nb::module_& m);
void bind_bases(nb::module_& m);
void bind_functions(nb::module_& m);

}  // namespace gsc
