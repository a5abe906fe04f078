// Bindings of the exact values.
#include "bindings.hpp"
#include "reconstruct.hpp"

namespace gsc {
namespace {

using Rows = Vector<u32>;  // the distinct splat behind every splat

void check_rows(Rows source, std::size_t distinct, std::size_t out_rows) {
  const std::size_t n = source.shape(0);
  require(out_rows == n, "values: bad output");
  u32 greatest = 0;
  for (std::size_t i = 0; i < n; ++i) greatest = std::max(greatest, source.data()[i]);
  require(n == 0 || greatest < distinct, "values: bad row");
}

void position_values(Matrix<i32> x, Vector<i64> origin, u32 mantissa, i32 exponent, Out<float, nb::ndim<2>> out) {
  const std::size_t n = x.shape(0);
  require(x.shape(1) == 3 && out.shape(0) == n && out.shape(1) == 3 && origin.shape(0) == 3, "positions: bad shape");
  nb::gil_scoped_release release;
  position_rows(x.data(), origin.data(), mantissa, std::ldexp(1.0, exponent), n, out.data());
}
void scale_values(Matrix<i32> rec, Rows source, i64 step, i64 offset, bool dilated, i64 ln_tau, Out<float, nb::ndim<2>> out) {
  require(rec.shape(1) == 3 && out.shape(1) == 3, "scales: bad shape");
  check_rows(source, rec.shape(0), out.shape(0));
  nb::gil_scoped_release release;
  value_rows<3>(rec.data(), source.data(), source.shape(0), out.data(), [&](i32 r) { return log_scale_q20(r, step, offset, dilated, ln_tau); });
}
void rotation_values(Matrix<i32> q, Rows source, Out<float, nb::ndim<2>> out) {
  require(q.shape(1) == 4 && out.shape(1) == 4, "rotations: bad shape");
  check_rows(source, q.shape(0), out.shape(0));
  nb::gil_scoped_release release;
  rotation_rows(q.data(), source.data(), source.shape(0), out.data());
}
void opacity_values(Matrix<i32> rec, Rows source, i64 step, i64 offset, Out<float, nb::ndim<1>> out) {
  require(rec.shape(1) == 1, "opacities: bad shape");
  check_rows(source, rec.shape(0), out.shape(0));
  nb::gil_scoped_release release;
  value_rows<1>(rec.data(), source.data(), source.shape(0), out.data(), [&](i32 r) { return logit_q20(r, step, offset); });
}
void colour_values(Matrix<i32> rec, Rows source, Vector<i64> offset, Vector<i64> mantissa, i32 exponent, Out<float, nb::ndim<2>> out) {
  require(rec.shape(1) == 3 && out.shape(1) == 3 && offset.shape(0) == 3 && mantissa.shape(0) == 3, "colours: bad shape");
  check_rows(source, rec.shape(0), out.shape(0));
  nb::gil_scoped_release release;
  colour_rows(rec.data(), source.data(), source.shape(0), offset.data(), mantissa.data(), std::ldexp(1.0, exponent - 7), out.data());
}
void harmonics_values_out(Matrix<i32> rec, Rows source, std::optional<Matrix<i16>> s, std::optional<Vector<u8>> perm, Vector<i32> c, i32 exponent, Out<float, nb::ndim<3>> out) {
  const u32 k = static_cast<u32>(rec.shape(1) / 3);
  require((k == 3 || k == 8 || k == 15) && rec.shape(1) == 3 * k && out.shape(1) == k && out.shape(2) == 3 && c.shape(0) == 9, "harmonics: bad shape");
  require(!s || (s->shape(0) == k && s->shape(1) == k), "harmonics: bad basis");
  require(!perm || perm->shape(0) == 3 * k, "harmonics: bad permutation");
  if (perm)
    for (u32 j = 0; j < 3 * k; ++j) require(perm->data()[j] < 3 * k, "harmonics: bad permutation");
  check_rows(source, rec.shape(0), out.shape(0));
  const HarmonicsBasis basis{s ? s->data() : nullptr, perm ? perm->data() : nullptr, c.data(), std::ldexp(1.0, exponent - 6)};
  nb::gil_scoped_release release;
  (k == 15 ? harmonics_rows_15 : k == 8 ? harmonics_rows_8 : harmonics_rows_3)(basis, rec.data(), source.data(), source.shape(0), out.data());
}

}  // namespace

void bind_values(nb::module_& m) {
  m.def("position_values", &position_values);
  m.def("scale_values", &scale_values);
  m.def("rotation_values", &rotation_values);
  m.def("opacity_values", &opacity_values);
  m.def("colour_values", &colour_values);
  m.def("harmonics_values", &harmonics_values_out, nb::arg("rec"), nb::arg("source"), nb::arg("basis").none(), nb::arg("perm").none(), nb::arg("colour"), nb::arg("exponent"), nb::arg("out"));
}

}  // namespace gsc
