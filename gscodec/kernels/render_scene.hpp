// A scene made ready for many views.
#pragma once
#include "render.hpp"

namespace gsc::render {

// The arrays of the caller, each of `count` rows; `bands` is the number of harmonics above the constant.
struct Arrays {
  std::size_t count;
  const float *positions, *scales, *rotations, *opacities, *dc, *rest;
  std::size_t bands;
};

inline bool all_finite(const float* values, std::size_t count) {
  u32 bad = 0;
  for (std::size_t k = 0; k < count; ++k) {
    u32 x;
    std::memcpy(&x, values + k, sizeof x);
    bad |= (x & 0x7f800000u) == 0x7f800000u;
  }
  return bad == 0;
}

// The columns of one splat; false when it can never be seen.
inline bool activated(const Arrays& in, std::size_t i, float* out) {
  const float *p = in.positions + 3 * i, *s = in.scales + 3 * i, *q = in.rotations + 4 * i;
  if (!(all_finite(p, 3) && all_finite(s, 3) && all_finite(q, 4) && all_finite(in.opacities + i, 1))) return false;
  if (!all_finite(in.dc + 3 * i, 3) || !all_finite(in.rest + 3 * in.bands * i, 3 * in.bands)) return false;
  const float opacity = static_cast<float>(1.0 / (1.0 + std::exp(-double(in.opacities[i]))));
  if (!(opacity >= kLeastAlpha)) return false;
  double w = q[0], x = q[1], y = q[2], z = q[3];
  const double norm = 1.0 / std::max(std::sqrt(w * w + x * x + y * y + z * z), 1e-12);
  w *= norm, x *= norm, y *= norm, z *= norm;
  const double turn[3][3] = {{1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)},
                             {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)},
                             {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)}};
  const double v[3] = {std::exp(2.0 * s[0]), std::exp(2.0 * s[1]), std::exp(2.0 * s[2])};
  u32 at = kXX;
  for (u32 a = 0; a < 3; ++a)
    for (u32 b = a; b < 3; ++b) {
      double sum = 0;
      for (u32 k = 0; k < 3; ++k) sum += turn[a][k] * turn[b][k] * v[k];
      if (!(std::abs(sum) < 1e30)) return false;
      out[at++] = static_cast<float>(sum);
    }
  std::copy_n(p, 3, out + kX);
  out[kReach2] = static_cast<float>(std::max(2.0 * std::log(255.0 * double(opacity)), 0.0));
  out[kTop] = std::log2(opacity);
  return true;
}

// Maps the scene to [0, 1023]^3, such that far outliers leave most cells to the rest.
struct Grid {
  double middle[3] = {}, scale = 0;

  Grid(const Buffer<float>& rows, std::size_t n) {
    double spread = 0;
    for (u32 a = 0; a < 3; ++a) {
      for (std::size_t i = 0; i < n; ++i) middle[a] += double(rows[i * kColumns + kX + a]);
      if (n) middle[a] /= double(n);
      for (std::size_t i = 0; i < n; ++i) spread += std::abs(rows[i * kColumns + kX + a] - middle[a]);
    }
    scale = spread > 1e-100 ? double(n) / spread : 0;
  }
  u32 cell(const float* row) const {  // Morton order
    u32 code = 0;
    for (u32 a = 0; a < 3; ++a) {
      const double x = (row[kX + a] - middle[a]) * scale;
      u32 c = static_cast<u32>(511.5 * (1 + x / (1 + std::abs(x))));
      c = (c | c << 16) & 0x30000ff, c = (c | c << 8) & 0x300f00f, c = (c | c << 4) & 0x30c30c3, c = (c | c << 2) & 0x9249249;
      code |= c << a;
    }
    return code;
  }
};

inline Scene prepare(const Arrays& in, bool inria, u32 threads) {
  constexpr std::size_t kPart = 8192;
  const std::size_t n = in.count, parts = (n + kPart - 1) / kPart;
  Buffer<float> rows = buffer<float>(n * kColumns);
  Buffer<u32> index = buffer<u32>(n);
  std::vector<std::size_t> kept(parts + 1);
  parallel(parts, threads, [&](std::size_t c) {
    std::size_t to = c * kPart;
    for (std::size_t i = c * kPart; i < std::min(n, (c + 1) * kPart); ++i)
      if (activated(in, i, &rows[to * kColumns])) index[to++] = static_cast<u32>(i);
    kept[c + 1] = to - c * kPart;
  });
  for (std::size_t c = 0; c < parts; ++c) {
    std::memmove(&rows[kept[c] * kColumns], &rows[c * kPart * kColumns], kept[c + 1] * kColumns * sizeof(float));
    std::memmove(&index[kept[c]], &index[c * kPart], kept[c + 1] * sizeof(u32));
    kept[c + 1] += kept[c];
  }
  const std::size_t m = kept.back();

  // Order: large splats apart, as one of them would make its whole block reach far; then along a Morton curve.
  const Grid grid(rows, m);
  const auto spread = [&](std::size_t i) {
    const float* r = &rows[i * kColumns];
    return double(std::log2(std::max(r[kXX] + r[kYY] + r[kZZ], 1e-37f)));
  };
  double usual = 0;
  for (std::size_t i = 0; i < m; ++i) usual += spread(i) / double(m);
  Buffer<u64> keys = buffer<u64>(m), other = buffer<u64>(m);
  parallel(parts, threads, [&](std::size_t c) {
    for (std::size_t i = kept[c]; i < kept[c + 1]; ++i) {
      const u32 size = static_cast<u32>(std::clamp((spread(i) - usual) / 4, 0.0, 3.0));
      keys[i] = u64(size << 30 | grid.cell(&rows[i * kColumns])) << 32 | i;
    }
  });
  sort_keys(keys, other, m, 0, 0, 32, threads);

  Scene scene;
  scene.inria = inria;
  scene.near = inria ? 0.2f : 0.01f;
  scene.most = inria ? 0.99f : 0.999f;
  scene.blocks = (m + kBlock - 1) / kBlock;
  scene.columns = buffer<float>(scene.blocks * kBlock * kColumns);
  scene.index = buffer<u32>(scene.blocks * kBlock);
  scene.boxes = buffer<Scene::Box>(scene.blocks);
  parallel(scene.blocks, threads, [&](std::size_t b) {
    float* to = &scene.columns[b * kBlock * kColumns];
    double low[3], high[3], reach = 0;
    std::fill_n(low, 3, std::numeric_limits<double>::infinity());
    std::fill_n(high, 3, -std::numeric_limits<double>::infinity());
    for (std::size_t k = 0; k < kBlock; ++k) {
      const std::size_t at = b * kBlock + k;
      const std::size_t from = static_cast<u32>(keys[std::min(at, m - 1)]);
      const float* row = &rows[from * kColumns];
      for (u32 j = 0; j < kColumns; ++j) to[j * kBlock + k] = row[j];
      scene.index[at] = index[from];
      if (at >= m) to[kReach2 * kBlock + k] = -std::numeric_limits<float>::infinity();  // fills the last block; not seen
      for (u32 a = 0; a < 3; ++a) low[a] = std::min(low[a], double(row[kX + a])), high[a] = std::max(high[a], double(row[kX + a]));
      // the trace bounds the greatest variance
      reach = std::max(reach, std::sqrt(double(row[kReach2]) * (double(row[kXX]) + row[kYY] + row[kZZ])));
    }
    for (u32 a = 0; a < 3; ++a) scene.boxes[b].middle[a] = 0.5 * (low[a] + high[a]), scene.boxes[b].half[a] = 0.5 * (high[a] - low[a]);
    scene.boxes[b].reach = reach;
  });
  return scene;
}

// Whether no splat of the block can be seen. Linear in the position, so it is enough to try one corner of the box.
inline bool hidden(const Scene& scene, std::size_t block, const Camera& camera) {
  const Scene::Box& box = scene.boxes[block];
  const double *right = camera.axes, *down = camera.axes + 3, *forward = camera.axes + 6;
  const auto least = [&](const double* n, double shift) {
    double sum = shift;
    for (int a = 0; a < 3; ++a) sum += n[a] * box.middle[a] - std::abs(n[a]) * box.half[a];
    return sum;
  };
  const double back[3] = {-forward[0], -forward[1], -forward[2]};
  if (-least(back, -camera.shift[2]) <= scene.near) return true;
  // 3.33 standard deviations of the dilation are 1.9 pixels; the rest of the margin is for rounding
  constexpr double kMargin = 4;
  const auto length = [](const double* n) { return std::sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]); };
  const auto outside = [&](const double* axis, double shift, double focal, double centre, double size, const double* limit) {
    const double tilt = std::max(std::abs(limit[0]), std::abs(limit[1]));
    const double reach = 1.001 * focal * box.reach * (length(axis) + tilt * length(forward));
    double beyond[3], before[3];
    for (int a = 0; a < 3; ++a) {
      beyond[a] = focal * axis[a] - (size - centre + kMargin) * forward[a];
      before[a] = -focal * axis[a] - (centre + kMargin) * forward[a];
    }
    return least(beyond, focal * shift - (size - centre + kMargin) * camera.shift[2]) > reach ||
           least(before, -focal * shift - (centre + kMargin) * camera.shift[2]) > reach;
  };
  return outside(right, camera.shift[0], camera.fx, camera.cx, camera.width, camera.x_limit) ||
         outside(down, camera.shift[1], camera.fy, camera.cy, camera.height, camera.y_limit);
}

}  // namespace gsc::render
