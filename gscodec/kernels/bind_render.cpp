// Bindings of the renderer. Its hot loops are built several times, and the processor decides when the module is loaded.
#include "bindings.hpp"
#include "clones.hpp"
#include "render_draw.hpp"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define GSC_RENDER_CHOICE
#include <immintrin.h>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 says so of its own header

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define GSC_RENDER_AVX2
namespace gsc::render::avx2 {
#include "render_lanes.hpp"

#include "render_blend.hpp"
#include "render_project.hpp"
}  // namespace gsc::render::avx2
#undef GSC_RENDER_AVX2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f")
#define GSC_RENDER_AVX512
namespace gsc::render::avx512 {
#include "render_lanes.hpp"

#include "render_blend.hpp"
#include "render_project.hpp"
}  // namespace gsc::render::avx512
#undef GSC_RENDER_AVX512
#pragma GCC pop_options
#pragma GCC diagnostic pop
#endif

namespace gsc::render::plain {
#include "render_lanes.hpp"

#include "render_blend.hpp"
#include "render_project.hpp"
}  // namespace gsc::render::plain

namespace gsc {
namespace {

using render::Arrays;
using render::Buffer;
using render::Work;

const render::Hot& hot() {
  static const render::Hot chosen = [] {
#if defined(GSC_RENDER_CHOICE)
    if (__builtin_cpu_supports("avx512f")) return render::Hot{render::avx512::project, render::avx512::blend_tile};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return render::Hot{render::avx2::project, render::avx2::blend_tile};
#endif
    return render::Hot{render::plain::project, render::plain::blend_tile};
  }();
  return chosen;
}

class RenderScene {
 public:
  RenderScene(Matrix<float> positions, Matrix<float> scales, Matrix<float> rotations, Vector<float> opacities, Matrix<float> dc, In<float, nb::ndim<3>> rest, bool inria, u32 threads)
      : positions_(positions), dc_(dc), rest_(rest) {
    const std::size_t n = positions.shape(0), k = rest.shape(1);
    require(positions.shape(1) == 3 && scales.shape(0) == n && scales.shape(1) == 3 && rotations.shape(0) == n && rotations.shape(1) == 4, "scene: bad shape");
    require(opacities.shape(0) == n && dc.shape(0) == n && dc.shape(1) == 3 && rest.shape(0) == n && rest.shape(2) == 3, "scene: bad shape");
    require((k == 0 || k == 3 || k == 8 || k == 15) && n <= (1u << 30), "scene: bad number of splats or harmonics");
    require(threads >= 1 && threads <= 256, "scene: 1 to 256 threads");
    arrays = {n, positions_.data(), scales.data(), rotations.data(), opacities.data(), dc_.data(), rest_.data(), k};
    this->threads = threads;
    nb::gil_scoped_release release;
    scene = render::prepare(arrays, inria, threads);
    arrays.scales = arrays.rotations = arrays.opacities = nullptr;  // not kept
  }

  Arrays arrays;
  render::Scene scene;
  u32 threads;
  std::shared_ptr<render::Scratch> scratch = render::Scratch::shared();

 private:
  Matrix<float> positions_, dc_;  // views read them
  In<float, nb::ndim<3>> rest_;
};

render::Camera checked(Vector<double> camera, u32 width, u32 height) {
  require(camera.shape(0) == 16 && width >= 1 && height >= 1 && width <= 32768 && height <= 32768, "camera: bad shape");
  for (std::size_t k = 0; k < 16; ++k) require(std::abs(camera.data()[k]) < 1e30, "camera: values must be finite");
  require(camera.data()[0] > 1e-30 && camera.data()[1] > 1e-30, "camera: focal lengths must be positive");
  return render::Camera(width, height, camera.data());
}

class RenderView {
 public:
  RenderView(const RenderScene& scene, Vector<double> camera, u32 width, u32 height) : scene_(scene), camera_(checked(camera, width, height)) {
    nb::gil_scoped_release release;
    const std::lock_guard guard(scene_.scratch->lock);
    view_ = render::look(scene_.scene, camera_, hot(), *scene_.scratch, scene_.threads);
  }
  std::size_t size() const { return view_.count; }

  nb::ndarray<nb::numpy, i32> visible() const {
    Buffer<i32> out = render::buffer<i32>(view_.count);
    for (std::size_t k = 0; k < view_.count; ++k) out[k] = static_cast<i32>(view_.blobs[k].index);
    return owned(std::move(out), {view_.count});
  }

  nb::ndarray<nb::numpy, float> colours() {
    Buffer<float> out = render::buffer<float>(3 * view_.count);
    {
      nb::gil_scoped_release release;
      const float* paint = harmonics();
      for (std::size_t k = 0; k < view_.count; ++k) std::copy_n(paint + 4 * k, 3, &out[3 * k]);
    }
    return owned(std::move(out), {view_.count, 3});
  }

  // totals: weight, squared, largest, gram; rows are splats of the scene
  nb::tuple draw(Vector<float> background, std::optional<Matrix<float>> colours, std::optional<Matrix<float>> pixel_weight, std::optional<Out<double, nb::ndim<1>>> weight,
                 std::optional<Out<double, nb::ndim<1>>> squared, std::optional<Out<float, nb::ndim<1>>> largest, std::optional<Out<float, nb::ndim<2>>> gram) {
    const std::size_t n = scene_.arrays.count, w = camera_.width, h = camera_.height;
    require(background.shape(0) == 3, "draw: a background is three values");
    require(!colours || (colours->shape(0) == n && colours->shape(1) == 3), "draw: colours of the wrong shape");
    require(!pixel_weight || (pixel_weight->shape(0) == h && pixel_weight->shape(1) == w), "draw: weights of pixels of the wrong shape");
    const bool measure = weight.has_value();
    require(measure == squared.has_value() && measure == largest.has_value() && (measure || !gram), "draw: statistics are incomplete");
    require(!measure || (weight->shape(0) == n && squared->shape(0) == n && largest->shape(0) == n), "draw: statistics of the wrong shape");
    u32 basis = 0;
    if (gram) {
      for (const u32 k : {1u, 4u, 9u, 16u})
        if (gram->shape(1) == k * (k + 1) / 2) basis = k;
      require(basis && gram->shape(0) == n, "draw: gram of the wrong shape");
    }
    Buffer<float> rgb = render::buffer<float>(3 * w * h), alpha = render::buffer<float>(w * h), depth = render::buffer<float>(w * h);
    {
      nb::gil_scoped_release release;
      const float* own = colours ? nullptr : harmonics();
      Buffer<float> given;
      if (colours) given = render::paint_colours(view_, colours->data(), scene_.threads);
      const float* shade = background.data();
      const render::Target target{rgb.get(), alpha.get(), depth.get(), pixel_weight ? pixel_weight->data() : nullptr, nullptr, {shade[0], shade[1], shade[2]}};
      const render::Partial partial = render::draw(measure ? Work::measure : Work::draw, view_, camera_, scene_.scene.most, colours ? given.get() : own, target, hot(), scene_.threads);
      if (measure) {
        const render::Totals totals{weight->data(), squared->data(), largest->data(), gram ? gram->data() : nullptr, basis};
        render::add_totals(view_, camera_, scene_.arrays, partial, totals, scene_.threads);
      }
    }
    return nb::make_tuple(owned(std::move(rgb), {h, w, 3}), owned(std::move(alpha), {h, w}), owned(std::move(depth), {h, w}));
  }

  // adds to the rows of `out`
  void gather(In<float, nb::ndim<3>> gradient, Out<float, nb::ndim<2>> out) const {
    require(gradient.shape(0) == camera_.height && gradient.shape(1) == camera_.width && gradient.shape(2) == 3, "gather: a gradient of the wrong shape");
    require(out.shape(0) == scene_.arrays.count && out.shape(1) == 3, "gather: bad output");
    float* rows = out.data();
    nb::gil_scoped_release release;
    render::Target target;
    target.gradient = gradient.data();
    const render::Partial partial = render::draw(Work::gather, view_, camera_, scene_.scene.most, nullptr, target, hot(), scene_.threads);
    render::reduce(view_, camera_, partial, false, scene_.threads, [&](const render::Blob& blob, const double* sums) {
      for (u32 c = 0; c < 3; ++c) rows[3 * std::size_t(blob.index) + c] += static_cast<float>(sums[c]);
    });
  }

  // adds to the rows of `out`: `gather` of the drawn picture, or of what `picture` is more than it; and sums of weights times alpha to `overlap`
  void product(std::optional<Matrix<float>> colours, std::optional<In<float, nb::ndim<3>>> picture, std::optional<Out<double, nb::ndim<1>>> overlap, Out<float, nb::ndim<2>> out) {
    const std::size_t n = scene_.arrays.count, w = camera_.width, h = camera_.height;
    require(!colours || (colours->shape(0) == n && colours->shape(1) == 3), "product: colours of the wrong shape");
    require(!picture || (picture->shape(0) == h && picture->shape(1) == w && picture->shape(2) == 3), "product: a picture of the wrong shape");
    require(out.shape(0) == n && out.shape(1) == 3 && (!overlap || overlap->shape(0) == n), "product: bad output");
    float* rows = out.data();
    double* overlaps = overlap ? overlap->data() : nullptr;
    nb::gil_scoped_release release;
    const float* own = colours ? nullptr : harmonics();
    Buffer<float> given;
    if (colours) given = render::paint_colours(view_, colours->data(), scene_.threads);
    render::Target target;
    target.gradient = picture ? picture->data() : nullptr;
    const render::Partial partial = render::draw(render::Work::product, view_, camera_, scene_.scene.most, colours ? given.get() : own, target, hot(), scene_.threads);
    render::reduce(view_, camera_, partial, false, scene_.threads, [&](const render::Blob& blob, const double* sums) {
      for (u32 c = 0; c < 3; ++c) rows[3 * std::size_t(blob.index) + c] += static_cast<float>(sums[c]);
      if (overlaps) overlaps[blob.index] += sums[3];
    });
  }

 private:
  // made when first needed
  const float* harmonics() {
    const std::lock_guard guard(lock_);
    if (!paint_) paint_ = render::paint_harmonics(view_, camera_, scene_.arrays, scene_.threads);
    return paint_.get();
  }

  const RenderScene& scene_;
  render::Camera camera_;
  render::View view_;
  Buffer<float> paint_;
  std::mutex lock_;
};

}  // namespace

void bind_render(nb::module_& m) {
  nb::class_<RenderScene>(m, "RenderScene")
      .def(nb::init<Matrix<float>, Matrix<float>, Matrix<float>, Vector<float>, Matrix<float>, In<float, nb::ndim<3>>, bool, u32>());
  nb::class_<RenderView>(m, "RenderView")
      .def(nb::init<const RenderScene&, Vector<double>, u32, u32>(), nb::keep_alive<1, 2>())
      .def("__len__", &RenderView::size)
      .def("visible", &RenderView::visible)
      .def("colours", &RenderView::colours)
      .def("draw", &RenderView::draw, nb::arg("background"), nb::arg("colours").none(), nb::arg("pixel_weight").none(), nb::arg("weight").none(), nb::arg("squared").none(), nb::arg("largest").none(), nb::arg("gram").none())
      .def("gather", &RenderView::gather, nb::arg("gradient"), nb::arg("out"))
      .def("product", &RenderView::product, nb::arg("colours").none(), nb::arg("picture").none(), nb::arg("overlap").none(), nb::arg("out"));
}

}  // namespace gsc
