// Bindings of functions of time.
#include "bind_motion.hpp"
#include "functions.hpp"

namespace gsc {
namespace {

GSC_HOT void residuals_from(Decoder& c, u32 n, const Residuals& what, u32 keys, i32* out) {
  walk_residuals(c, n, what, keys, nullptr, 0, out);
}
GSC_HOT void recs_from(const Followed& p, u32 n, u32 width, i32* out) {
  if (width == 3)
    followed<3>(p, n, width, out);
  else if (width == 1)
    followed<1>(p, n, width, out);
  else
    followed<0>(p, n, width, out);
}

nb::tuple read_fineness(const Source& source, const SideInfo& info) {
  source.need(kFinenessContexts * info.side.classes);
  auto out = std::make_unique<u8[]>(info.side.n);
  Decoder c = source.open();
  if (!c.failed()) walk_fineness(c, info.side, nullptr, out.get());
  return nb::make_tuple(static_cast<int>(c.finish()), owned(std::move(out), {info.side.n}));
}
Ops* write_fineness(const SideInfo& info, Vector<u8> wanted, u32 lanes) {
  check_lanes(lanes);
  require(wanted.shape(0) == info.side.n, "fineness: bad shape");
  for (std::size_t i = 0; i < info.side.n; ++i) require(wanted.data()[i] <= kFinenessLast, "fineness: out of range");
  std::vector<u8> fineness(info.side.n);
  Recorder c(lanes);
  walk_fineness(c, info.side, wanted.data(), fineness.data());
  return recorded(c, lanes);
}

Residuals residuals_of(Vector<i32>& multiplier, std::optional<Matrix<u16>>& lives, Vector<u8>& groups, i32 limit, std::size_t keys) {
  const std::size_t n = multiplier.shape(0), width = groups.shape(0);
  check_keys(n, keys, width);
  u32 count = 0;
  for (std::size_t w = 0; w < width; ++w) count = std::max<u32>(count, groups.data()[w] + 1u);
  require(count <= width && limit >= 1 && limit <= kDisplacementMax, "residuals: bad arguments");
  for (std::size_t i = 0; i < n; ++i)
    require(multiplier.data()[i] >= 0 && multiplier.data()[i] <= kMostMultiplier, "residuals: bad multiplier");
  return {static_cast<u32>(width), count, groups.data(), multiplier.data(), limit, lives_of(lives, n).rows};
}

// `stop` of all keys: those from it on are not read, and the end of the stream is not looked at.
nb::tuple read_residuals(const Source& source, Vector<i32> multiplier, std::optional<Matrix<u16>> lives, Vector<u8> groups,
                         i32 limit, u32 keys, u32 stop) {
  const Residuals what = residuals_of(multiplier, lives, groups, limit, keys);
  require(stop <= keys, "residuals: bad arguments");
  source.need(what.contexts());
  const std::size_t n = multiplier.shape(0);
  auto out = std::make_unique<i32[]>(stop * n * what.width);
  Status status;
  {
    nb::gil_scoped_release release;
    Decoder c = source.open();
    if (!c.failed()) residuals_from(c, static_cast<u32>(n), what, stop, out.get());
    status = stop == keys ? c.finish() : c.status;
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(out), {stop, n, what.width}));
}
nb::tuple write_residuals(Vector<i32> multiplier, std::optional<Matrix<u16>> lives, Vector<u8> groups, i32 limit,
                          In<double, nb::ndim<3>> ideal, double rounding, u32 lanes) {
  check_lanes(lanes);
  const std::size_t keys = ideal.shape(0), n = multiplier.shape(0);
  const Residuals what = residuals_of(multiplier, lives, groups, limit, keys);
  const std::size_t count = keys * n * what.width;
  require(ideal.shape(1) == n && ideal.shape(2) == what.width && rounding >= 0 && rounding < 1, "residuals: bad shape");
  for (std::size_t k = 0; k < count; ++k) require(std::isfinite(ideal.data()[k]), "residuals: not finite");
  auto out = std::make_unique<i32[]>(count);
  Recorder c(lanes);
  {
    nb::gil_scoped_release release;
    walk_residuals(c, static_cast<u32>(n), what, static_cast<u32>(keys), ideal.data(), rounding, out.get());
  }
  return nb::make_tuple(nb::cast(recorded(c, lanes), nb::rv_policy::take_ownership), owned(std::move(out), {keys, n, what.width}));
}

// start, residuals: n x width; coefficients: n x (count width), those of a function side by side; functions: count.
void function_recs(std::optional<Matrix<i32>> start, std::optional<Matrix<i32>> coefficients, Vector<i64> functions,
                   std::optional<Matrix<i32>> residuals, i32 limit, Out<i32, nb::ndim<2>> out) {
  const std::size_t n = out.shape(0), width = out.shape(1), count = functions.shape(0);
  const auto fits = [&](const std::optional<Matrix<i32>>& each, std::size_t columns) {
    return !each || (each->shape(0) == n && each->shape(1) == columns);
  };
  require(n <= 65536 && width >= 1 && width <= kMostWidth && count <= kMostFollowed && limit >= 1 && limit <= kDisplacementMax, "functions: bad arguments");
  require(fits(start, width) && fits(residuals, width) && fits(coefficients, width * count), "functions: bad shape");
  for (std::size_t o = 0; o < count; ++o) require(in_range(functions.data()[o], kMostFunction), "functions: out of range");
  const auto rows = [](const std::optional<Matrix<i32>>& each) { return each ? each->data() : nullptr; };
  const Followed p{rows(start), rows(coefficients), functions.data(), rows(residuals), static_cast<u32>(count), limit};
  nb::gil_scoped_release release;
  recs_from(p, static_cast<u32>(n), static_cast<u32>(width), out.data());
}

}  // namespace

void bind_functions(nb::module_& m) {
  m.def("read_fineness", &read_fineness);
  m.def("write_fineness", &write_fineness, nb::rv_policy::take_ownership);
  m.def("read_residuals", &read_residuals, nb::arg("source"), nb::arg("multiplier"), nb::arg("lives").none(), nb::arg("groups"),
        nb::arg("limit"), nb::arg("keys"), nb::arg("stop"));
  m.def("write_residuals", &write_residuals, nb::arg("multiplier"), nb::arg("lives").none(), nb::arg("groups"), nb::arg("limit"),
        nb::arg("ideal"), nb::arg("rounding"), nb::arg("lanes"));
  m.def("function_recs", &function_recs, nb::arg("start").none(), nb::arg("coefficients").none(), nb::arg("functions"),
        nb::arg("residuals").none(), nb::arg("limit"), nb::arg("out"));
}

}  // namespace gsc
