// Bindings of the entropy coder alone.
#include "bindings.hpp"
#include "parameters.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace gsc {
namespace {

// Arbitrary steps, for tests and for the benchmark of the coder alone.
Ops* make_ops(Vector<u8> kinds, Vector<u16> contexts, Vector<u32> values, Vector<u32> aux, u32 lanes) {
  check_lanes(lanes);
  const std::size_t n = kinds.shape(0);
  require(contexts.shape(0) == n && values.shape(0) == n && aux.shape(0) == n, "ops: lengths differ");
  auto ops = std::make_unique<Ops>();
  ops->lanes = lanes;
  for (std::size_t i = 0; i < n; ++i) {
    const u32 a = aux.data()[i], v = values.data()[i], lane = static_cast<u32>(i & (lanes - 1));
    switch (kinds.data()[i]) {
      case Op::symbol:
        require(v < 256, "ops: bad symbol");
        ops->steps.symbol(lane, contexts.data()[i], v);
        break;
      case Op::uniform:
        require(a >= 2 && a <= 65536 && v < a, "ops: bad uniform");
        ops->steps.uniform(lane, a, v);
        break;
      case Op::bits:
        require(a >= 1 && a <= 24 && v >> a == 0, "ops: bad raw bits");
        ops->steps.bits(lane, a, v);
        break;
      default: require(false, "ops: unknown kind");
    }
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
      require(contexts.data()[i] < source.contexts.size(), "ops: no such context");
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

// Table symbols only, of known contexts, the lanes in registers. As long as every lane has a word for each symbol,
// ends need no look.
template <u32 L>
Status decode_run(const Source& source, const u16* contexts, u8* out, std::size_t n) {
  const Context* const context = source.contexts.data();
  Lane lane[L];
  for (u32 l = 0; l < L; ++l)
    if (!lane[l].open(source.words.begin[l], source.words.end[l])) return Status::first_word;
  std::size_t i = 0;
  const auto run = [&]<bool known>() {
    const Context only = context[0];
    for (;;) {
      std::size_t rounds = (n - i) / L;
      for (u32 l = 0; l < L; ++l) rounds = std::min(rounds, static_cast<std::size_t>(lane[l].end - lane[l].at));
      if (rounds == 0) return;
      u64 state[L];
      const u32* at[L];
      for (u32 l = 0; l < L; ++l) state[l] = lane[l].state, at[l] = lane[l].at;
      for (; rounds > 0; --rounds, i += L)
        for (u32 l = 0; l < L; ++l) {
          const Context c = known ? context[contexts[i + l]] : only;
          const u32 slot = static_cast<u32>(state[l]) & kMask;
          const u32 symbol = c.table->symbols[slot >> c.shift];
          const SymbolRange range = c.table->ranges[symbol];
          state[l] = static_cast<u64>(range.freq) * (state[l] >> kPrecision) + slot - range.start;
          if (state[l] < (u64(1) << 32)) [[unlikely]] state[l] = state[l] << 32 | *at[l]++;
          out[i + l] = static_cast<u8>(symbol);
        }
      for (u32 l = 0; l < L; ++l) lane[l].state = state[l], lane[l].at = at[l];
    }
  };
  contexts ? run.template operator()<true>() : run.template operator()<false>();
  for (; i < n; ++i) {
    Lane& last = lane[i % L];
    const Context c = context[contexts ? contexts[i] : 0];
    out[i] = c.table->symbols[last.slot() >> c.shift];
    last.refill(last.after(c.table->ranges[out[i]]));
  }
  for (u32 l = 0; l < L; ++l)
    if (!lane[l].closed()) return Status::end;
  return Status::ok;
}

nb::tuple decode_symbols(const Source& source, std::size_t n, std::optional<Vector<u16>> contexts) {
  const u16* given = nullptr;
  if (contexts) {
    require(contexts->shape(0) == n, "symbols: one context each");
    given = contexts->data();
    u32 greatest = 0;
    for (std::size_t i = 0; i < n; ++i) greatest = std::max<u32>(greatest, given[i]);
    require(n == 0 || greatest < source.contexts.size(), "symbols: no such context");
  }
  require(!source.contexts.empty(), "symbols: empty map");
  auto out = std::make_unique_for_overwrite<u8[]>(n);
  Status status;
  {
    nb::gil_scoped_release release;
    const auto run = source.words.lanes == 4 ? decode_run<4> : source.words.lanes == 2 ? decode_run<2> : decode_run<1>;
    status = run(source, given, out.get(), n);
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(out), {n}));
}

// All tables, then all context maps, one after another, of `sizes` contexts.
nb::tuple read_tables(const Source& source, u32 count, const std::vector<u32>& sizes) {
  source.need(kBuiltIn);
  require(source.words.lanes == 1 && count >= 1 && count <= kSymbols, "tables: bad count");
  std::size_t contexts = 0;
  for (const u32 size : sizes) require((contexts += size) <= 1 << 20, "tables: too many contexts");
  std::unique_ptr<u32[]> frequencies(new u32[count * kSymbols]());
  std::unique_ptr<u8[]> resolutions(new u8[count]()), maps(new u8[contexts]());
  Decoder c = source.open();
  for (u32 t = 0; t < count && !c.failed(); ++t)
    resolutions[t] = static_cast<u8>(read_table(c, frequencies.get() + t * kSymbols));
  u8* map = maps.get();
  for (const u32 size : sizes) {
    if (c.failed()) break;
    read_map(c, count, map, size);
    map += size;
  }
  const Status status = c.finish();
  return nb::make_tuple(static_cast<int>(status), owned(std::move(frequencies), {count, kSymbols}),
                        owned(std::move(resolutions), {count}), owned(std::move(maps), {contexts}));
}

// Gives pages that are free back to the system. Threads that allocate and free side by side leave glibc's heaps with
// many of these, and what is allocated next rarely fits into them.
void trim_memory() {
#if defined(__GLIBC__)
  nb::gil_scoped_release release;
  malloc_trim(0);
#endif
}

// (3.10) `own` tables; for each stream its flag and, if it is set, its map; the choice of each cluster that is left.
// `clusters` are those of the contexts of all streams of `sizes`, `standard` the table of each in the set.
nb::tuple read_choices(const Source& source, u32 own, u32 known, const std::vector<u32>& sizes, Vector<u16> clusters,
                       Vector<u8> standard) {
  source.need(kBuiltIn);
  require(source.words.lanes == 1 && own + known <= kSymbols, "choices: bad count");
  std::size_t contexts = 0;
  for (const u32 size : sizes) require((contexts += size) <= 1 << 20, "choices: too many contexts");
  require(clusters.shape(0) == contexts, "choices: one cluster for each context");
  for (std::size_t i = 0; i < contexts; ++i) require(clusters(i) < standard.shape(0), "choices: no such cluster");
  std::unique_ptr<u32[]> frequencies(new u32[std::max(own, 1u) * kSymbols]());
  std::unique_ptr<u8[]> resolutions(new u8[std::max(own, 1u)]()), maps(new u8[contexts]()), flags(new u8[sizes.size()]());
  std::vector<u8> table(standard.shape(0)), occurs(standard.shape(0));
  Decoder c = source.open();
  for (u32 t = 0; t < own && !c.failed(); ++t)
    resolutions[t] = static_cast<u8>(read_table(c, frequencies.get() + t * kSymbols));
  std::size_t at = 0;
  for (std::size_t s = 0; s < sizes.size() && !c.failed(); at += sizes[s++]) {
    flags[s] = static_cast<u8>(c.uniform(0, 2));
    if (flags[s] == 0)
      for (std::size_t i = 0; i < sizes[s]; ++i) occurs[clusters(at + i)] = 1;
    else if (own == 0)
      c.fail(Status::map);
    else
      read_map(c, own, maps.get() + at, sizes[s]);
  }
  for (std::size_t k = 0; k < occurs.size() && !c.failed(); ++k)
    if (occurs[k]) table[k] = read_choice(c, standard(k), own, known);
  at = 0;
  for (std::size_t s = 0; s < sizes.size(); at += sizes[s++])
    if (flags[s] == 0)
      for (std::size_t i = 0; i < sizes[s]; ++i) maps[at + i] = table[clusters(at + i)];
  const Status status = c.finish();
  const std::size_t streams = sizes.size();
  return nb::make_tuple(static_cast<int>(status), owned(std::move(frequencies), {own, kSymbols}),
                        owned(std::move(resolutions), {own}), owned(std::move(flags), {streams}),
                        owned(std::move(maps), {contexts}));
}

}  // namespace

void bind_streams(nb::module_& m) {
  nb::class_<Tables>(m, "Tables").def(nb::init<Matrix<u32>, Vector<u8>>()).def("__len__", &Tables::count);
  nb::class_<Source>(m, "Source").def(nb::init<const Tables&, Vector<u8>, Vector<u8>, Vector<u32>>(), nb::keep_alive<1, 2>());
  nb::class_<Ops>(m, "Ops")
      .def("histogram", &Ops::histogram)
      .def("raw_bits", &Ops::raw_bits)
      .def("encode", &Ops::encode)
      .def("__len__", [](const Ops& o) { return o.steps.size(); });
  m.def("make_ops", &make_ops, nb::rv_policy::take_ownership);
  m.def("run_ops", &run_ops);
  m.def("trim_memory", &trim_memory);
  m.def("read_tables", &read_tables);
  m.def("read_choices", &read_choices);
  m.def("decode_symbols", &decode_symbols, nb::arg("source"), nb::arg("count"), nb::arg("contexts").none() = nb::none());
}

}  // namespace gsc
