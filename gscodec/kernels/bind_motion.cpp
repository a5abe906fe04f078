// Bindings of motion: streams, and what a chunk looks like at a moment.
#include "bind_motion.hpp"
#include "polynomial.hpp"

namespace gsc {
namespace {

// Reading, in versions for the processor.
GSC_HOT void masks_from(Decoder& c, const Similar* similar, Lifespans lives, u32 n, u32 keys, u32 allowed, u8* masks) {
  walk_masks(c, similar, lives, n, keys, allowed, nullptr, masks);
}
GSC_HOT void channels_from(Decoder& c, const Side& side, const Channels& what, u32 keys, const u8* masks, i32* rec) {
  walk_channels(c, side, what, keys, masks, nullptr, -1, nullptr, rec);
}

// `keys` of all keys: those after them are not read, and the end of the stream is not looked at.
nb::tuple read_lifespans(const Source& source, u32 n, u32 keys) {
  source.need(2);
  check_keys(n, std::max(keys, 1u), 1);
  auto out = std::make_unique<u16[]>(std::size_t(n) * 2);
  Decoder c = source.open();
  if (!c.failed()) walk_lifespans(c, n, keys, nullptr, out.get());
  return nb::make_tuple(static_cast<int>(c.finish()), owned(std::move(out), {n, 2}));
}
Ops* write_lifespans(Matrix<u16> wanted, u32 keys, u32 lanes) {
  check_lanes(lanes);
  const u32 n = static_cast<u32>(wanted.shape(0));
  check_keys(n, std::max(keys, 1u), 1);
  require(wanted.shape(1) == 2, "lifespans: bad shape");
  for (u32 i = 0; i < n; ++i) {
    const u16* row = wanted.data() + 2 * i;
    require(row[0] <= keys && row[1] > row[0] && row[1] <= keys + 1, "lifespans: out of range");
  }
  std::vector<u16> rows(std::size_t(n) * 2);
  Recorder c(lanes);
  walk_lifespans(c, n, keys, wanted.data(), rows.data());
  return recorded(c, lanes);
}

nb::tuple read_masks(const Source& source, const Similar* similar, std::optional<Matrix<u16>> lives, u32 n, u32 keys,
                     u32 stop, u32 allowed) {
  source.need(kMaskContexts);
  check_keys(n, keys, 1);
  require(stop <= keys && allowed < 1u << kMaskBits && (!similar || similar->n == n), "masks: bad arguments");
  const Lifespans alive = lives_of(lives, n);
  auto out = std::make_unique<u8[]>(std::size_t(n) * stop);
  Status status;
  {
    nb::gil_scoped_release release;
    Decoder c = source.open();
    if (!c.failed()) masks_from(c, similar, alive, n, stop, allowed, out.get());
    status = stop == keys ? c.finish() : c.status;
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(out), {stop, n}));
}
Ops* write_masks(const Similar* similar, std::optional<Matrix<u16>> lives, Matrix<u8> wanted, u32 allowed, u32 lanes) {
  check_lanes(lanes);
  const u32 keys = static_cast<u32>(wanted.shape(0)), n = static_cast<u32>(wanted.shape(1));
  check_keys(n, keys, 1);
  require(allowed < 1u << kMaskBits && (!similar || similar->n == n), "masks: bad arguments");
  const Lifespans alive = lives_of(lives, n);
  std::vector<u8> masks(std::size_t(n) * keys);
  Recorder c(lanes);
  {
    nb::gil_scoped_release release;
    walk_masks(c, similar, alive, n, keys, allowed, wanted.data(), masks.data());
  }
  return recorded(c, lanes);
}

// groups: of each component; views: of each splat, or None (the bit at the key before for 2); start: n x width or None
Channels channels_of(const SideInfo& info, Vector<u8>& groups, std::optional<Vector<u8>>& view, u32 views,
                     std::optional<Matrix<i32>>& start, bool extrapolates, i32 limit, u32 bit, std::size_t keys) {
  const std::size_t n = info.side.n, width = groups.shape(0);
  check_keys(n, std::max<std::size_t>(keys, 1), width);
  u32 count = 0;
  for (std::size_t w = 0; w < width; ++w) count = std::max<u32>(count, groups.data()[w] + 1u);
  require(count <= width && views >= 1 && views <= 4 && bit < kMaskBits && limit >= 1 && limit <= kDisplacementMax, "channels: bad arguments");
  require(view || views <= 2, "channels: side contexts are missing");
  require(!view || view->shape(0) == n, "channels: one side context for each splat");
  if (view)
    for (std::size_t i = 0; i < n; ++i) require(view->data()[i] < views, "channels: bad side context");
  require(!start || (start->shape(0) == n && start->shape(1) == width), "channels: bad start");
  if (start)
    for (std::size_t i = 0; i < n * width; ++i) require(in_range(start->data()[i]), "channels: start out of range");
  return {static_cast<u32>(width), count, views, groups.data(), view ? view->data() : nullptr,
          start ? start->data() : nullptr, extrapolates, limit, bit};
}

nb::tuple read_channels(const Source& source, const SideInfo& info, Matrix<u8> masks, u32 keys, u32 bit, Vector<u8> groups,
                        u32 views, std::optional<Vector<u8>> view, std::optional<Matrix<i32>> start, bool extrapolates,
                        i32 limit) {
  const std::size_t stop = masks.shape(0), n = info.side.n, width = groups.shape(0);
  require(masks.shape(1) == n && stop <= keys, "channels: bad masks");
  const Channels what = channels_of(info, groups, view, views, start, extrapolates, limit, bit, keys);
  source.need(what.contexts(info.side.classes));
  auto out = std::make_unique<i32[]>(stop * n * width);
  Status status;
  {
    nb::gil_scoped_release release;
    Decoder c = source.open();
    if (!c.failed()) channels_from(c, info.side, what, static_cast<u32>(stop), masks.data(), out.get());
    status = stop == keys ? c.finish() : c.status;
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(out), {stop, n, width}));
}
nb::tuple write_channels(const SideInfo& info, Matrix<u8> masks, u32 bit, Vector<u8> groups, u32 views,
                         std::optional<Vector<u8>> view, std::optional<Matrix<i32>> start, bool extrapolates, i32 limit,
                         In<double, nb::ndim<3>> ideal, double left, u32 lanes, std::optional<Matrix<i32>> coarse) {
  check_lanes(lanes);
  const std::size_t keys = masks.shape(0), n = info.side.n, width = groups.shape(0);
  require(masks.shape(1) == n && ideal.shape(0) == keys && ideal.shape(1) == n && ideal.shape(2) == width, "channels: bad shape");
  const Channels what = channels_of(info, groups, view, views, start, extrapolates, limit, bit, keys);
  require(!coarse || (coarse->shape(0) == n && coarse->shape(1) == width), "channels: bad units of residuals");
  if (coarse)
    for (std::size_t k = 0; k < n * width; ++k) require(coarse->data()[k] >= 1 && coarse->data()[k] <= 4096, "channels: bad units of residuals");
  for (std::size_t k = 0; k < keys * n * width; ++k) require(std::isfinite(ideal.data()[k]), "channels: not finite");
  auto out = std::make_unique<i32[]>(keys * n * width);
  auto kept = std::make_unique<u8[]>(keys * n);
  std::copy_n(masks.data(), keys * n, kept.get());
  Recorder c(lanes);
  {
    nb::gil_scoped_release release;
    walk_channels(c, info.side, what, static_cast<u32>(keys), nullptr, ideal.data(), left, kept.get(), out.get(),
                  coarse ? coarse->data() : nullptr);
  }
  return nb::make_tuple(nb::cast(recorded(c, lanes), nb::rv_policy::take_ownership), owned(std::move(kept), {keys, n}),
                        owned(std::move(out), {keys, n, width}));
}

Factor factor_of(i64 factor, u32 shift) {
  require(factor >= 1 && factor < 1 << 22 && shift <= 52, "motion: bad factor");
  return {factor, shift};
}
void check_recs(const i32* rec, std::size_t count) {
  for (std::size_t k = 0; k < count; ++k) require(in_range(rec[k]), "motion: rec out of range");
}

// chunk: x, source, quaternions, opacity; units: origin, mantissa, exponent; step and offset of opacity
Polynomial* make_polynomial(std::tuple<Matrix<i32>, Vector<u32>, Matrix<i32>, Matrix<i32>> chunk,
                            std::tuple<Vector<i64>, u32, i32> grid, std::tuple<i64, i64> opacity_units, Vector<u8> mask,
                            std::tuple<Matrix<i32>, i64, u32> translation,
                            std::optional<std::tuple<Matrix<i32>, i64, u32>> rotation,
                            std::optional<std::tuple<Matrix<i32>, i64, i64, i64, i64>> time, i64 reference, i64 threshold) {
  const auto& [x, source, quaternions, opacity] = chunk;
  const auto& [origin, mantissa, exponent] = grid;
  const auto& [rec, factor, shift] = translation;
  const std::size_t n = source.shape(0), m = mask.shape(0), width = rec.shape(1);
  require(x.shape(0) == n && x.shape(1) == 3 && origin.shape(0) == 3 && n <= 65536, "polynomial: bad positions");
  require(mantissa <= 65535 && exponent >= -200 && exponent <= 120, "polynomial: bad grid");
  for (int k = 0; k < 3; ++k) require(std::abs(origin.data()[k]) <= i64(1) << 35, "polynomial: bad origin");
  require(quaternions.shape(0) == m && quaternions.shape(1) == 4 && opacity.shape(0) == m && opacity.shape(1) == 1,
          "polynomial: bad attributes");
  require(rec.shape(0) == m && width % 3 == 0 && width <= 9, "polynomial: bad translations");
  check_recs(rec.data(), m * width);
  const OpacityUnits units{std::get<0>(opacity_units), std::get<1>(opacity_units)};
  require(units.step >= 1 && units.step <= 1 << 28 && std::abs(units.offset) <= i64(1) << 31, "polynomial: bad opacity");
  require(reference >= 0 && reference <= 1 << 20 && threshold >= 0 && threshold <= 65535, "polynomial: bad arguments");
  u32 used = 0;
  for (std::size_t i = 0; i < n; ++i) require(source.data()[i] < m, "polynomial: bad row");
  for (std::size_t s = 0; s < m; ++s) used |= mask.data()[s];
  require((!(used & 1) || width) && (!(used & 2) || rotation) && (!(used & 4) || time) && used < 8, "polynomial: bad masks");
  auto p = std::make_unique<Polynomial>();
  p->splats = n, p->distinct = m, p->degree = static_cast<u32>(width / 3);
  p->reference = reference, p->threshold = threshold, p->unit = std::ldexp(1.0, exponent);
  p->translates = factor_of(factor, shift);
  p->mask.assign(mask.data(), mask.data() + m);
  p->source.assign(source.data(), source.data() + n);
  p->translation.assign(rec.data(), rec.data() + m * width);
  p->quaternion.assign(quaternions.data(), quaternions.data() + 4 * m);
  for (const i32 v : p->quaternion) require(std::abs(i64(v)) <= 1 << 24, "polynomial: bad quaternion");
  p->base.resize(3 * n);
  for (std::size_t k = 0; k < 3 * n; ++k)
    p->base[k] = (static_cast<double>(2 * origin.data()[k % 3]) + x.data()[k]) * mantissa;
  p->logit.resize(m);
  for (std::size_t s = 0; s < m; ++s)
    p->logit[s] = round_once(static_cast<double>(logit_q20(opacity.data()[s], units.step, units.offset)), 0x1p-20);
  check_recs(opacity.data(), m);
  if (rotation) {
    const auto& [turns, a, s] = *rotation;
    require(turns.shape(0) == m && turns.shape(1) == 4, "polynomial: bad rotations");
    check_recs(turns.data(), 4 * m);
    p->rotates = factor_of(a, s);
    p->rotation.assign(turns.data(), turns.data() + 4 * m);
  }
  if (time) {
    const auto& [times, cs, co, ws, wo] = *time;
    require(times.shape(0) == m && times.shape(1) == 2, "polynomial: bad times");
    require(cs >= 1 && cs <= 1 << 20 && ws >= 1 && ws <= 1 << 28 && std::abs(co) <= i64(1) << 31 && std::abs(wo) <= i64(1) << 31,
            "polynomial: bad units of time");
    check_recs(times.data(), 2 * m);
    const TimeUnits moments{cs, co, ws, wo};
    p->window.resize(m);
    for (std::size_t s = 0; s < m; ++s)
      p->window[s] = Polynomial::window_of(moments, units, times.data() + 2 * s, opacity.data()[s]);
  }
  return p.release();
}

nb::tuple polynomial_values(const Polynomial& p, i64 moment) {
  require(moment >= 0 && moment <= 1 << 20, "polynomial: a moment outside of the segment");
  const std::size_t n = p.splats;
  auto rows = std::make_unique_for_overwrite<u32[]>(n);
  auto position = std::make_unique_for_overwrite<float[]>(3 * n), turned = std::make_unique_for_overwrite<float[]>(4 * n),
       opacity = std::make_unique_for_overwrite<float[]>(n);
  std::size_t shown;
  {
    nb::gil_scoped_release release;
    shown = p.at(moment, rows.get(), position.get(), turned.get(), opacity.get());
  }
  return nb::make_tuple(owned(std::move(rows), {shown}), owned(std::move(position), {shown, 3}),
                        owned(std::move(turned), {shown, 4}), owned(std::move(opacity), {shown}));
}

// (12.8) x: n x 3 of the shown splats; rec: of the distinct ones; `source` says which of them is behind each.
void moved_positions(Matrix<i32> x, Vector<i64> origin, u32 mantissa, i32 exponent, Vector<u32> source, Matrix<i32> rec, i64 a,
                     u32 s, Out<float, nb::ndim<2>> out) {
  const std::size_t n = source.shape(0);
  require(x.shape(0) == n && x.shape(1) == 3 && origin.shape(0) == 3 && rec.shape(1) == 3, "positions: bad shape");
  require(out.shape(0) == n && out.shape(1) == 3 && exponent >= -1000 && exponent <= 1000, "positions: bad output");
  for (std::size_t i = 0; i < n; ++i) require(source.data()[i] < rec.shape(0), "positions: bad row");
  for (int k = 0; k < 3; ++k) require(std::abs(origin.data()[k]) <= i64(1) << 35, "positions: bad origin");
  const Factor factor = factor_of(a, s);
  const double unit = std::ldexp(1.0, exponent);
  nb::gil_scoped_release release;
  for (std::size_t i = 0; i < n; ++i)
    for (u32 k = 0; k < 3; ++k) {
      const double still = (static_cast<double>(2 * origin.data()[k]) + x.data()[3 * i + k]) * mantissa;
      const i64 by = factor.of(rec.data()[std::size_t(source.data()[i]) * 3 + k]);
      out.data()[3 * i + k] = round_once(still + static_cast<double>(by), unit);
    }
}
void turned_rotations(Matrix<i32> q, Vector<u32> source, Matrix<i32> rec, i64 b, u32 s, Out<float, nb::ndim<2>> out) {
  const std::size_t n = source.shape(0), m = q.shape(0);
  require(q.shape(1) == 4 && rec.shape(0) == m && rec.shape(1) == 3, "rotations: bad shape");
  require(out.shape(0) == n && out.shape(1) == 4, "rotations: bad output");
  for (std::size_t i = 0; i < n; ++i) require(source.data()[i] < m, "rotations: bad row");
  for (std::size_t i = 0; i < 4 * m; ++i) require(std::abs(i64(q.data()[i])) <= 1 << 24, "rotations: bad quaternion");
  const Factor factor = factor_of(b, s);
  nb::gil_scoped_release release;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t d = source.data()[i];
    i64 p[4] = {1 << 20, 0, 0, 0};
    for (u32 k = 0; k < 3; ++k) p[k + 1] = std::clamp(factor.of(rec.data()[3 * d + k]), -kMostTurn, kMostTurn);
    i32 r[4];
    turn(p, q.data() + 4 * d, r);
    for (u32 k = 0; k < 4; ++k) out.data()[4 * i + k] = round_once(r[k], 0x1p-24);
  }
}

}  // namespace

void bind_motion(nb::module_& m) {
  nb::class_<Polynomial>(m, "Polynomial")
      .def("at", &polynomial_values)
      .def("__len__", [](const Polynomial& p) { return p.splats; });
  m.def("make_polynomial", &make_polynomial, nb::rv_policy::take_ownership, nb::arg("chunk"), nb::arg("grid"), nb::arg("opacity"),
        nb::arg("mask"), nb::arg("translation"), nb::arg("rotation").none(), nb::arg("time").none(), nb::arg("reference"),
        nb::arg("threshold"));
  m.def("moved_positions", &moved_positions);
  m.def("turned_rotations", &turned_rotations);
  m.def("read_lifespans", &read_lifespans);
  m.def("write_lifespans", &write_lifespans, nb::rv_policy::take_ownership);
  m.def("read_masks", &read_masks, nb::arg("source"), nb::arg("similar").none(), nb::arg("lives").none(), nb::arg("splats"),
        nb::arg("keys"), nb::arg("stop"), nb::arg("allowed"));
  m.def("write_masks", &write_masks, nb::rv_policy::take_ownership, nb::arg("similar").none(), nb::arg("lives").none(),
        nb::arg("wanted"), nb::arg("allowed"), nb::arg("lanes"));
  m.def("read_channels", &read_channels, nb::arg("source"), nb::arg("side"), nb::arg("masks"), nb::arg("keys"), nb::arg("bit"),
        nb::arg("groups"), nb::arg("views"), nb::arg("view").none(), nb::arg("start").none(), nb::arg("extrapolates"), nb::arg("limit"));
  m.def("write_channels", &write_channels, nb::arg("side"), nb::arg("masks"), nb::arg("bit"), nb::arg("groups"), nb::arg("views"),
        nb::arg("view").none(), nb::arg("start").none(), nb::arg("extrapolates"), nb::arg("limit"), nb::arg("ideal"), nb::arg("left"),
        nb::arg("lanes"), nb::arg("coarse") = nb::none());
}

}  // namespace gsc
