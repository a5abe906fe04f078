// Bindings of the predictor, and of scale, rotation, opacity and colour.
#include "bind_side.hpp"

namespace gsc {
namespace {

// terms: list of (n x 3 int32, k, s)
Similar* similar(const std::vector<std::tuple<Matrix<i32>, int, int>>& terms, u32 window, u32 p, Vector<u32> shrink,
                  Vector<u32> thresholds) {
  require(!terms.empty() && terms.size() <= 3, "similar: 1 to 3 distances");
  require(shrink.shape(0) == 6 && thresholds.shape(0) == 5 && window >= 1 && window <= 16 && p >= 1 && p <= 4, "similar: bad set");
  PredictorSet set{window, p, {}, {}};
  for (int k = 0; k < 6; ++k) require((set.shrink[k] = shrink.data()[k]) <= 256, "similar: bad shrink");
  for (int k = 0; k < 5; ++k) set.thresholds[k] = thresholds.data()[k];
  const std::size_t n = std::get<0>(terms[0]).shape(0);
  for (const auto& [array, k, s] : terms)
    require(array.shape(0) == n && array.shape(1) == 3 && k >= 0 && k <= 255 && s >= 0 && s <= 31, "similar: bad distance");
  auto found = std::make_unique<Similar>(n);
  {
    nb::gil_scoped_release release;
    std::vector<Plane> planes;
    planes.reserve(terms.size() * 3);
    DistanceTerm distance[3];
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const auto& [array, k, s] = terms[t];
      for (int a = 0; a < 3; ++a) {
        i32* plane = planes.emplace_back(n).data();
        for (std::size_t i = 0; i < n; ++i) plane[i] = array.data()[i * 3 + a];
        distance[t].component[a] = plane;
      }
      distance[t].k = k;
      distance[t].s = s;
    }
    find_similar(distance, static_cast<u32>(terms.size()), set, n, *found);
  }
  return found.release();
}

// Reading, in versions for the processor.
GSC_HOT void scale_from(Decoder& c, const Side& side, i32 floor, i32* rec) { walk_scale(c, side, floor, nullptr, rec); }
GSC_HOT void rotation_from(Decoder& c, const Side& side, const RotationSteps& steps, const i32* scale, i32* q) {
  walk_rotation(c, side, steps, scale, nullptr, q);
}
GSC_HOT void opacity_from(Decoder& c, const Side& side, i32* rec) { walk_opacity(c, side, nullptr, rec); }
GSC_HOT void colour_from(Decoder& c, const Side& side, i32* rec) { walk_colour(c, side, nullptr, rec); }

nb::tuple read_scale(const Source& source, const SideInfo& info, i32 floor) {
  source.need(6 * info.side.classes + 512);
  return read_rows<i32>(source, info, 3, [&](Decoder& c, i32* rec) { scale_from(c, info.side, floor, rec); });
}
nb::tuple write_scale(const SideInfo& info, i32 floor, Matrix<double> ideal, u32 lanes) {
  need_rows(info, ideal.shape(0), ideal.shape(1), 3);
  return write_rows<i32>(info, 3, lanes, [&](Recorder& c, i32* rec) { walk_scale(c, info.side, floor, ideal.data(), rec); });
}

RotationSteps rotation_steps(i64 a, i64 b, i64 max_d, i64 max_t) {
  require(a >= 1 && a <= 1 << 28 && b >= 1 && b <= 1 << 28 && max_d >= 1 && max_d <= 2048 && max_t >= 1 && max_t <= 2048, "rotation: bad steps");
  return {a, b, max_d, max_t};
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
  const RotationSteps steps = rotation_steps(a, b, max_d, max_t);
  return read_rows<i32>(source, info, 4, [&](Decoder& c, i32* q) { rotation_from(c, info.side, steps, scale.data(), q); });
}
nb::tuple write_rotation(const SideInfo& info, i64 a, i64 b, i64 max_d, i64 max_t, Matrix<i32> scale, Matrix<double> ideal, u32 lanes) {
  check_scale(info, scale);
  need_rows(info, ideal.shape(0), ideal.shape(1), 9);
  const RotationSteps steps = rotation_steps(a, b, max_d, max_t);
  return write_rows<i32>(info, 4, lanes, [&](Recorder& c, i32* q) { walk_rotation(c, info.side, steps, scale.data(), ideal.data(), q); });
}

nb::tuple read_opacity(const Source& source, const SideInfo& info) {
  source.need(6 * info.side.classes);
  return read_rows<i32>(source, info, 1, [&](Decoder& c, i32* rec) { opacity_from(c, info.side, rec); });
}
nb::tuple write_opacity(const SideInfo& info, Vector<double> ideal, u32 lanes) {
  need_rows(info, ideal.shape(0), 1, 1);
  return write_rows<i32>(info, 1, lanes, [&](Recorder& c, i32* rec) { walk_opacity(c, info.side, ideal.data(), rec); });
}

nb::tuple read_colour(const Source& source, const SideInfo& info) {
  source.need(54 * info.side.classes);
  return read_rows<i32>(source, info, 3, [&](Decoder& c, i32* rec) { colour_from(c, info.side, rec); });
}
nb::tuple write_colour(const SideInfo& info, Matrix<double> ideal, u32 lanes) {
  need_rows(info, ideal.shape(0), ideal.shape(1), 3);
  return write_rows<i32>(info, 3, lanes, [&](Recorder& c, i32* rec) { walk_colour(c, info.side, ideal.data(), rec); });
}

}  // namespace

void bind_attributes(nb::module_& m) {
  nb::class_<Similar>(m, "Similar").def("__len__", [](const Similar& s) { return s.n; });
  nb::class_<SideInfo>(m, "Side").def(nb::init<Vector<u8>, u32, Vector<i32>, const Similar*>(), nb::keep_alive<1, 5>(),
                                      nb::arg("classes_of"), nb::arg("classes"), nb::arg("multipliers"),
                                      nb::arg("similar").none());
  m.def("similar", &similar, nb::rv_policy::take_ownership);
  m.def("read_scale", &read_scale);
  m.def("write_scale", &write_scale);
  m.def("read_rotation", &read_rotation);
  m.def("write_rotation", &write_rotation);
  m.def("read_opacity", &read_opacity);
  m.def("write_opacity", &write_opacity);
  m.def("read_colour", &read_colour);
  m.def("write_colour", &write_colour);
}

}  // namespace gsc
