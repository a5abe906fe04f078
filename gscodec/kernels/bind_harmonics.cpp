// Bindings of harmonics and of extra attributes.
#include "bind_side.hpp"
#include "harmonics_choice.hpp"

namespace gsc {
namespace {

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
GSC_HOT void coefficients_from(Decoder& c, const Side& side, const HarmonicsLayout& layout, u8* groups, i32* rec) {
  walk_coefficients(c, side, layout, groups, nullptr, [](auto&&...) { return 0u; }, rec);
}

nb::tuple read_coefficients(const Source& source, const SideInfo& info, u32 coefficients, Vector<u8> bounds, Matrix<u8> groups) {
  const HarmonicsLayout layout = harmonics_layout(coefficients, bounds);
  source.need(layout.groups * info.side.classes * coefficients);
  need_rows(info, groups.shape(0), groups.shape(1), 1);
  std::vector<u8> g(groups.data(), groups.data() + info.side.n);
  for (u8 v : g) require(v <= layout.groups, "harmonics: bad group");
  return read_rows<i32>(source, info, layout.components(), [&](Decoder& c, i32* rec) { coefficients_from(c, info.side, layout, g.data(), rec); });
}
// costs: bits of group numbers (contexts x (NG + 1)) and of tokens (contexts x 64), or None for plain rounding
// metric: Gram matrices, the row of each splat in them, its factor and what is added to the diagonal; None: the identity
nb::tuple write_harmonics(const SideInfo& info, u32 coefficients, Vector<u8> bounds, Matrix<float> ideal, float dead_zone,
                          std::optional<std::tuple<Matrix<float>, Matrix<float>, float>> known, std::optional<std::tuple<Matrix<float>, Vector<i64>, Vector<float>, Vector<float>>> gram,
                          std::optional<Matrix<float>> basis, std::optional<Vector<u8>> order, u32 lanes) {
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
  HarmonicsMetric metric{nullptr, nullptr, nullptr, nullptr, basis ? basis->data() : nullptr, order ? order->data() : nullptr};
  if (gram) {
    const auto& [rows, row, scale, extra] = *gram;
    require(rows.shape(1) == (coefficients + 1) * (coefficients + 2) / 2, "harmonics: bad metric");
    require(row.shape(0) == n && scale.shape(0) == n && extra.shape(0) == n, "harmonics: bad metric");
    for (std::size_t i = 0; i < n; ++i) require(row.data()[i] >= 0 && static_cast<std::size_t>(row.data()[i]) < rows.shape(0), "harmonics: bad row");
    metric.gram = rows.data(), metric.row = row.data(), metric.scale = scale.data(), metric.extra = extra.data();
  }
  require(!basis || (basis->shape(0) == coefficients && basis->shape(1) == coefficients), "harmonics: bad basis");
  require(!order || order->shape(0) == width, "harmonics: bad order");
  if (order) {
    u64 seen = 0;
    for (u32 j = 0; j < width; ++j) seen |= u64{1} << std::min<u32>(order->data()[j], 63);
    require(seen == (u64{1} << width) - 1, "harmonics: bad order");
  }
  const HarmonicsChoice choice(info.side, layout, costs, metric);
  std::unique_ptr<u8[]> groups(new u8[n]());
  std::unique_ptr<i32[]> rec(new i32[n * width]());
  Recorder first(lanes), second(lanes);
  {
    nb::gil_scoped_release release;
    walk_coefficients(second, info.side, layout, groups.get(), ideal.data(), choice, rec.get());
    walk_groups(first, info.side, layout, groups.get());
  }
  return nb::make_tuple(nb::cast(recorded(first, lanes), nb::rv_policy::take_ownership),
                        nb::cast(recorded(second, lanes), nb::rv_policy::take_ownership), owned(std::move(rec), {n, width}));
}

// (5.13) words: n x w, each of `bits` bits.
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

}  // namespace

void bind_harmonics(nb::module_& m) {
  m.def("read_groups", &read_groups);
  m.def("read_coefficients", &read_coefficients);
  m.def("write_harmonics", &write_harmonics, nb::arg("side"), nb::arg("coefficients"), nb::arg("bounds"), nb::arg("ideal"), nb::arg("dead_zone"), nb::arg("costs").none(), nb::arg("metric").none(), nb::arg("basis").none(), nb::arg("order").none(), nb::arg("lanes"));
  m.def("read_channel", &read_channel);
  m.def("write_channel", &write_channel, nb::rv_policy::take_ownership);
}

}  // namespace gsc
