// Bindings of shared bases.
#include "bases.hpp"
#include "bind_side.hpp"

namespace gsc {
namespace {

void check_trajectories(std::size_t keys, std::size_t bases, std::size_t width, i64 bound) {
  require(keys >= 1 && keys <= 4096 && bases >= 1 && bases <= 64 && (width == 1 || width == 3 || width == 6), "trajectories: bad shape");
  require(bound >= 1 && bound <= i64(1) << 28, "trajectories: bad bound");
}

nb::tuple read_trajectories(const Source& source, u32 keys, u32 bases, u32 width, i64 bound, bool extrapolates) {
  source.need(kTrajectoryContexts);
  check_trajectories(keys, bases, width, bound);
  auto out = std::make_unique<i32[]>(std::size_t(keys) * bases * width);
  Status status;
  {
    nb::gil_scoped_release release;
    Decoder c = source.open();
    if (!c.failed()) walk_trajectories(c, keys, bases, width, bound, extrapolates, nullptr, out.get());
    status = c.finish();
  }
  return nb::make_tuple(static_cast<int>(status), owned(std::move(out), {keys, bases, width}));
}
Ops* write_trajectories(In<i32, nb::ndim<3>> wanted, i64 bound, bool extrapolates, u32 lanes) {
  check_lanes(lanes);
  const std::size_t keys = wanted.shape(0), bases = wanted.shape(1), width = wanted.shape(2), count = keys * bases * width;
  check_trajectories(keys, bases, width, bound);
  for (std::size_t k = 0; k < count; ++k) require(in_range(wanted.data()[k], bound), "trajectories: out of range");
  std::vector<i32> rec(count);
  Recorder c(lanes);
  walk_trajectories(c, static_cast<u32>(keys), static_cast<u32>(bases), static_cast<u32>(width), bound, extrapolates, wanted.data(), rec.data());
  return recorded(c, lanes);
}

void check_shares(const SideInfo& info, Vector<u8>& mask, std::size_t bases, i32 levels) {
  require(mask.shape(0) == info.side.n && bases >= 1 && bases <= 64 && levels >= 1 && levels <= 4095, "shares: bad arguments");
}

nb::tuple read_shares(const Source& source, const SideInfo& info, Vector<u8> mask, u32 bases, i32 levels) {
  source.need(54 * info.side.classes);
  check_shares(info, mask, bases, levels);
  return read_rows<u16>(source, info, bases, [&](Decoder& c, u16* shares) {
    std::fill_n(shares, std::size_t(info.side.n) * bases, u16(0));
    if (!c.failed()) walk_shares(c, info.side, bases, levels, mask.data(), nullptr, shares);
  });
}
Ops* write_shares(const SideInfo& info, Vector<u8> mask, Matrix<u16> wanted, i32 levels, u32 lanes) {
  check_lanes(lanes);
  const std::size_t n = info.side.n, bases = wanted.shape(1);
  require(wanted.shape(0) == n, "shares: bad shape");
  check_shares(info, mask, bases, levels);
  for (std::size_t i = 0; i < n; ++i) {
    i32 sum = 0;
    for (std::size_t k = 0; k < bases; ++k) sum += wanted.data()[i * bases + k];
    require(!(mask.data()[i] & 1) || sum == levels, "shares: they do not sum to the levels");
  }
  std::vector<u16> shares(n * bases);
  Recorder c(lanes);
  walk_shares(c, info.side, static_cast<u32>(bases), levels, mask.data(), wanted.data(), shares.data());
  return recorded(c, lanes);
}

// chunk: x, source, quaternions; grid: origin, mantissa, exponent; shares: n x bases
Mixture* make_mixture(std::tuple<Matrix<i32>, Vector<u32>, Matrix<i32>> chunk, std::tuple<Vector<i64>, u32, i32> grid,
                      Vector<u8> mask, Matrix<u16> shares, i32 levels, i32 exponent) {
  const auto& [x, source, quaternions] = chunk;
  const auto& [origin, mantissa, unit] = grid;
  const std::size_t n = source.shape(0), m = mask.shape(0), bases = shares.shape(1);
  require(x.shape(0) == n && x.shape(1) == 3 && origin.shape(0) == 3 && n <= 65536, "mixture: bad positions");
  require(mantissa <= 65535 && unit >= -200 && unit <= 120 && exponent >= -200 && exponent <= 120, "mixture: bad grid");
  for (int k = 0; k < 3; ++k) require(std::abs(origin.data()[k]) <= i64(1) << 35, "mixture: bad origin");
  require(quaternions.shape(0) == m && quaternions.shape(1) == 4, "mixture: bad rotations");
  require(shares.shape(0) == m && bases >= 1 && bases <= 64 && levels >= 1 && levels <= 4095, "mixture: bad shares");
  for (std::size_t i = 0; i < n; ++i) require(source.data()[i] < m, "mixture: bad row");
  for (std::size_t i = 0; i < 4 * m; ++i) require(std::abs(i64(quaternions.data()[i])) <= 1 << 24, "mixture: bad quaternion");
  for (std::size_t i = 0; i < m * bases; ++i) require(shares.data()[i] <= levels, "mixture: bad share");
  auto p = std::make_unique<Mixture>();
  p->splats = n, p->bases = static_cast<u32>(bases), p->levels = levels;
  p->shift = exponent - unit, p->scale = std::ldexp(1.0, unit);
  p->source.assign(source.data(), source.data() + n);
  p->quaternion.assign(quaternions.data(), quaternions.data() + 4 * m);
  p->position.resize(3 * n);
  for (std::size_t k = 0; k < 3 * n; ++k) p->position[k] = (2 * origin.data()[k % 3] + x.data()[k]) * i64(mantissa);
  p->first.push_back(0);
  for (std::size_t d = 0; d < m; ++d) {
    if (mask.data()[d] & 1)
      for (std::size_t k = 0; k < bases; ++k)
        if (const u16 share = shares.data()[d * bases + k]) p->basis.push_back(static_cast<u8>(k)), p->share.push_back(share);
    p->first.push_back(static_cast<u32>(p->basis.size()));
  }
  return p.release();
}

// six: bases x 6, three: bases x 3
nb::tuple mixture_values(const Mixture& p, Matrix<i64> six, Matrix<i64> three) {
  require(six.shape(0) == p.bases && six.shape(1) == 6 && three.shape(0) == p.bases && three.shape(1) == 3, "mixture: bad bases");
  for (std::size_t k = 0; k < 6 * p.bases; ++k) require(in_range(six.data()[k], i64(1) << 22), "mixture: out of range");
  for (std::size_t k = 0; k < 3 * p.bases; ++k) require(in_range(three.data()[k], i64(1) << 28), "mixture: out of range");
  const std::size_t n = p.splats;
  auto position = std::make_unique_for_overwrite<float[]>(3 * n), turned = std::make_unique_for_overwrite<float[]>(4 * n);
  {
    nb::gil_scoped_release release;
    p.at(six.data(), three.data(), position.get(), turned.get());
  }
  return nb::make_tuple(owned(std::move(position), {n, 3}), owned(std::move(turned), {n, 4}));
}

}  // namespace

void bind_bases(nb::module_& m) {
  nb::class_<Mixture>(m, "Mixture").def("at", &mixture_values).def("__len__", [](const Mixture& p) { return p.splats; });
  m.def("make_mixture", &make_mixture, nb::rv_policy::take_ownership);
  m.def("read_trajectories", &read_trajectories);
  m.def("write_trajectories", &write_trajectories, nb::rv_policy::take_ownership);
  m.def("read_shares", &read_shares);
  m.def("write_shares", &write_shares, nb::rv_policy::take_ownership);
}

}  // namespace gsc
