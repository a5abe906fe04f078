// Bindings of the lossless profile.
#include "bindings.hpp"
#include "lossless.hpp"

namespace gsc {
namespace {

RowPlan* make_plan(Vector<u8> coding, Vector<u8> width, Vector<u32> constant, Vector<i32> exponent, Vector<u8> low,
                   Vector<i32> bias, Vector<i32> spread, Vector<i16> previous, Matrix<i16> weight, Matrix<i16> growth) {
  auto plan = std::make_unique<RowPlan>();
  const std::size_t words = coding.shape(0), numbers = exponent.shape(0);
  require(words <= kMaxWords && width.shape(0) == words && constant.shape(0) == words, "plan: words");
  require(low.shape(0) == numbers && bias.shape(0) == numbers && spread.shape(0) == numbers &&
              previous.shape(0) == numbers,
          "plan: numbers");
  require(weight.shape(0) == numbers && weight.shape(1) == numbers && growth.shape(0) == numbers &&
              growth.shape(1) == numbers,
          "plan: weights");
  plan->words = static_cast<u32>(words);
  for (std::size_t w = 0; w < words; ++w) {
    const u32 bits = width.data()[w];
    require(coding.data()[w] <= 3 && (bits == 8 || bits == 16 || bits == 32), "plan: a word");
    const Coding kind = static_cast<Coding>(coding.data()[w]);
    plan->coding.push_back(kind);
    plan->width.push_back(bits);
    plan->constant.push_back(constant.data()[w]);
    plan->first.push_back(plan->contexts);
    plan->contexts += kind == Coding::number       ? kNumberContexts
                      : kind == Coding::difference ? kDifferenceContexts
                      : kind == Coding::bytes      ? bits / 8
                                                   : 0;
    require(kind != Coding::number || (bits == 32 && plan->numbers < numbers), "plan: a number");
    plan->numbers += kind == Coding::number;
  }
  require(plan->numbers == numbers, "plan: count of numbers");
  for (std::size_t j = 0; j < numbers; ++j) {
    require(exponent.data()[j] >= -100 && exponent.data()[j] <= 120 && low.data()[j] <= 21, "plan: a field");
    require(std::abs(i64(bias.data()[j])) <= kMaxFixed && std::abs(i64(spread.data()[j])) <= kMaxFixed, "plan: a constant");
    plan->exponent.push_back(exponent.data()[j]);
    plan->low.push_back(low.data()[j]);
    plan->bias.push_back(bias.data()[j]);
    plan->spread.push_back(spread.data()[j]);
    plan->previous.push_back(previous.data()[j]);
  }
  plan->weight.assign(weight.data(), weight.data() + numbers * numbers);
  plan->growth.assign(growth.data(), growth.data() + numbers * numbers);
  return plan.release();
}

nb::tuple read_rows(const RowPlan& plan, const Source& source, Vector<u8> low, std::size_t rows) {
  source.need(plan.contexts);
  require(rows <= kMaxRows, "rows: too many");
  std::unique_ptr<u32[]> cells(new u32[rows * plan.words]());
  Status status;
  {
    nb::gil_scoped_release release;
    RowReader reader{source.open(), {low.data(), low.data() + low.shape(0)}};
    if (reader.symbols.failed()) reader.fail(reader.symbols.status);
    RowWalk<RowReader>(plan, reader, cells.get(), nullptr).run(static_cast<u32>(rows));
    status = reader.status;
    if (status == Status::ok) status = reader.symbols.finish();
    if (status == Status::ok && !reader.low.closed()) status = Status::bits;
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(cells), {rows, plan.words}));
}

// A block's symbols and low bits, before tables are known.
struct RecordedRows {
  RowRecorder recorder;
  u32 contexts;

  nb::ndarray<nb::numpy, u32> histogram() const {
    std::unique_ptr<u32[]> h(new u32[std::size_t(contexts) * 256]());
    for (const u32 symbol : recorder.symbols) ++h[symbol];
    return owned(std::move(h), {contexts, 256});
  }
  nb::ndarray<nb::numpy, u8> low() const {
    const auto& bytes = recorder.low.bytes;
    std::unique_ptr<u8[]> out(new u8[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), out.get());
    return owned(std::move(out), {bytes.size()});
  }
  nb::ndarray<nb::numpy, u64> low_bits() const {
    const auto& bits = recorder.low_bits;
    std::unique_ptr<u64[]> out(new u64[bits.size()]);
    std::copy(bits.begin(), bits.end(), out.get());
    return owned(std::move(out), {bits.size()});
  }
  nb::tuple encode(const Tables& tables, Vector<u8> map, u32 lanes) const {
    check_lanes(lanes);
    require(map.shape(0) == contexts, "rows: context map of the wrong size");
    std::vector<std::vector<u32>> words(lanes);
    u64 state[4] = {};
    for (std::size_t k = recorder.symbols.size(); k-- > 0;) {
      const u32 l = static_cast<u32>(k) & (lanes - 1), table = map.data()[recorder.symbols[k] >> 8];
      require(table < tables.count(), "rows: no such table");
      const SymbolRange range = tables.context(table).table->ranges[recorder.symbols[k] & 255];
      require(range.freq != 0, "rows: symbol without frequency");
      if (state[l] >> 40 >= range.freq) {
        words[l].push_back(static_cast<u32>(state[l]));
        state[l] >>= 32;
      }
      state[l] = (state[l] / range.freq << kPrecision) + state[l] % range.freq + range.start;
    }
    std::size_t total = 0;
    for (u32 l = 0; l < lanes; ++l) {
      for (u64 s = state[l]; s; s >>= 32) words[l].push_back(static_cast<u32>(s));
      total += words[l].size();
    }
    std::unique_ptr<u32[]> out(new u32[total]), counts(new u32[lanes]);
    u32* at = out.get();
    for (u32 l = 0; l < lanes; ++l) {
      at = std::reverse_copy(words[l].begin(), words[l].end(), at);
      counts[l] = static_cast<u32>(words[l].size());
    }
    return nb::make_tuple(owned(std::move(out), {total}), owned(std::move(counts), {lanes}));
  }
};

RecordedRows* write_rows(const RowPlan& plan, Matrix<u32> cells, Vector<i32> sources) {
  const std::size_t rows = cells.shape(0);
  require(cells.shape(1) == plan.words && rows <= kMaxRows && sources.shape(0) == rows, "rows: bad shape");
  for (std::size_t i = 0; i < rows; ++i)
    require(sources.data()[i] < static_cast<i64>(i), "rows: a source that is not before");
  for (std::size_t i = 0; i < rows * plan.words; ++i) {
    const u32 bits = plan.width[i % plan.words];
    require(bits == 32 || cells.data()[i] >> bits == 0, "rows: a word too wide");
  }
  auto out = std::make_unique<RecordedRows>();
  out->contexts = plan.contexts;
  out->recorder.low_bits.assign(plan.words, 0);
  out->recorder.word = plan.words;
  std::vector<u32> copy(cells.data(), cells.data() + rows * plan.words);  // constants are set by the walk
  {
    nb::gil_scoped_release release;
    RowWalk<RowRecorder>(plan, out->recorder, copy.data(), sources.data()).run(static_cast<u32>(rows));
    out->recorder.low.close();
  }
  require(out->recorder.status == Status::ok, "rows: values that the plan cannot code");
  require(std::equal(copy.begin(), copy.end(), cells.data()), "rows: a constant that is not");
  return out.release();
}

}  // namespace

void bind_lossless(nb::module_& m) {
  nb::class_<RowPlan>(m, "RowPlan")
      .def("__len__", [](const RowPlan& p) { return p.contexts; });
  nb::class_<RecordedRows>(m, "RecordedRows")
      .def("histogram", &RecordedRows::histogram)
      .def("low", &RecordedRows::low)
      .def("low_bits", &RecordedRows::low_bits)
      .def("encode", &RecordedRows::encode);
  m.def("make_plan", &make_plan, nb::rv_policy::take_ownership);
  m.def("read_rows", &read_rows);
  m.def("write_rows", &write_rows, nb::rv_policy::take_ownership);
}

}  // namespace gsc
