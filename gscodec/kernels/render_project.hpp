// From a block of a scene to blobs on the screen. Included once for each set of instructions, as render_lanes.hpp.

// Centre, covariance on the screen and depth of all splats of a block; `seen` where not culled, else 0.
struct Projected {
  double x[kBlock], y[kBlock], xx[kBlock], xy[kBlock], yy[kBlock], z[kBlock], seen[kBlock];
};

// The classic EWA projection, in double precision as thin ellipses need it. Without branches, to be vectorised.
inline void project_block(const float* columns, const Camera& camera, double near, Projected& out) {
  const float *px = columns + kX * kBlock, *py = columns + kY * kBlock, *pz = columns + kZ * kBlock;
  const float *sxx = columns + kXX * kBlock, *sxy = columns + kXY * kBlock, *sxz = columns + kXZ * kBlock;
  const float *syy = columns + kYY * kBlock, *syz = columns + kYZ * kBlock, *szz = columns + kZZ * kBlock;
  const float* reach2 = columns + kReach2 * kBlock;
  double r[9], t[3];
  std::copy_n(camera.axes, 9, r);
  std::copy_n(camera.shift, 3, t);
  const double fx = camera.fx, fy = camera.fy, cx = camera.cx - 0.5, cy = camera.cy - 0.5;
  const double x0 = camera.x_limit[0], x1 = camera.x_limit[1], y0 = camera.y_limit[0], y1 = camera.y_limit[1];
  const double right = camera.width - 1, bottom = camera.height - 1;
  GSC_NO_ALIAS
  for (u32 k = 0; k < kBlock; ++k) {
    const double x = px[k], y = py[k], z = pz[k];
    const double depth = r[6] * x + r[7] * y + r[8] * z + t[2];
    const double in = 1.0 / depth;
    const double tx = (r[0] * x + r[1] * y + r[2] * z + t[0]) * in, ty = (r[3] * x + r[4] * y + r[5] * z + t[1]) * in;
    double cut_x = tx > x0 ? tx : x0, cut_y = ty > y0 ? ty : y0;
    cut_x = cut_x < x1 ? cut_x : x1, cut_y = cut_y < y1 ? cut_y : y1;
    const double jx = fx * in, jy = fy * in;
    const double u0 = jx * (r[0] - cut_x * r[6]), u1 = jx * (r[1] - cut_x * r[7]), u2 = jx * (r[2] - cut_x * r[8]);
    const double v0 = jy * (r[3] - cut_y * r[6]), v1 = jy * (r[4] - cut_y * r[7]), v2 = jy * (r[5] - cut_y * r[8]);
    const double c0 = sxx[k], c1 = sxy[k], c2 = sxz[k], c3 = syy[k], c4 = syz[k], c5 = szz[k];
    const double w0 = c0 * u0 + c1 * u1 + c2 * u2, w1 = c1 * u0 + c3 * u1 + c4 * u2, w2 = c2 * u0 + c4 * u1 + c5 * u2;
    const double q0 = c0 * v0 + c1 * v1 + c2 * v2, q1 = c1 * v0 + c3 * v1 + c4 * v2, q2 = c2 * v0 + c4 * v1 + c5 * v2;
    const double a = u0 * w0 + u1 * w1 + u2 * w2 + 0.3, b = v0 * w0 + v1 * w1 + v2 * w2, c = v0 * q0 + v1 * q1 + v2 * q2 + 0.3;
    const double mx = fx * tx + cx, my = fy * ty + cy;
    // how far the centre is outside of the picture, and how far the ellipse of alpha >= 1/255 reaches
    double dx = mx - right > -mx ? mx - right : -mx, dy = my - bottom > -my ? my - bottom : -my;
    dx = dx > 0 ? dx : 0, dy = dy > 0 ? dy : 0;
    const double limit = reach2[k] + 1.1e-3;
    double seen = depth > near ? 1.0 : 0.0;
    seen = a * c - b * b > 0 ? seen : 0.0;
    seen = a < 1e30 ? seen : 0.0;
    seen = c < 1e30 ? seen : 0.0;
    seen = dx * dx <= limit * a ? seen : 0.0;
    seen = dy * dy <= limit * c ? seen : 0.0;
    out.x[k] = mx, out.y[k] = my, out.xx[k] = a, out.xy[k] = b, out.yy[k] = c, out.z[k] = depth, out.seen[k] = seen;
  }
}

// int(value / 16) in [0, limit], as diff-gaussian-rasterization rounds; also for what is no integer.
inline u16 tile_of(double value, u32 limit) {
  const double tile = value / kTile;
  return static_cast<u16>(tile > 0 ? tile < limit ? tile : limit : 0);
}

// Splat k of the block as a blob; false when its footprint is empty.
inline bool finish(const Projected& in, u32 k, float reach2, float top, const Camera& camera, bool inria, Blob& out) {
  constexpr double kLog2e = 1.4426950408889634;
  const double x = in.x[k], y = in.y[k], a = in.xx[k], b = in.xy[k], c = in.yy[k];
  const double det = a * c - b * b, scale = kLog2e / det, limit = reach2 + 1e-3;
  const double by_c = 1 / c, wide = limit * det * by_c;
  const u32 columns = camera.tiles_x(), rows = camera.tiles_y();
  out.x = static_cast<float>(x), out.y = static_cast<float>(y);
  out.a = static_cast<float>(0.5 * scale * c), out.b = static_cast<float>(-scale * b), out.c = static_cast<float>(0.5 * scale * a);
  out.top = top, out.z = static_cast<float>(in.z[k]);
  const float height = std::sqrt(static_cast<float>(limit * c)), width = std::sqrt(static_cast<float>(limit * a));
  out.reach_y = height;
  out.lean = static_cast<float>(b * by_c), out.wide = static_cast<float>(wide), out.narrow = static_cast<float>(det * by_c * by_c);
  out.dy_right = static_cast<float>(b / a * width);
  out.x0 = tile_of(std::ceil(x - width - 0.01), columns), out.x1 = tile_of(std::floor(x + width + 0.01) + kTile, columns);
  out.y0 = tile_of(std::ceil(y - height - 0.01), rows), out.y1 = tile_of(std::floor(y + height + 0.01) + kTile, rows);
  if (inria) {
    const double middle = 0.5 * (a + c);
    const double radius = std::ceil(3.0 * std::sqrt(middle + std::sqrt(std::max(0.1, middle * middle - det))));
    out.x0 = std::max(out.x0, tile_of(x - radius, columns)), out.x1 = std::min(out.x1, tile_of(x + radius + kTile - 1, columns));
    out.y0 = std::max(out.y0, tile_of(y - radius, rows)), out.y1 = std::min(out.y1, tile_of(y + radius + kTile - 1, rows));
  }
  return out.x0 < out.x1 && out.y0 < out.y1;
}

// Writes the visible splats of blocks [begin, end), of which there may be as many as splats; returns how many.
inline std::size_t project(const Scene& scene, const Camera& camera, std::size_t begin, std::size_t end, Blob* out) {
  Projected p;
  std::size_t count = 0;
  for (std::size_t block = begin; block < end; ++block) {
    if (hidden(scene, block, camera)) continue;
    const float* columns = &scene.columns[block * kBlock * kColumns];
    project_block(columns, camera, scene.near, p);
    for (u32 k = 0; k < kBlock; ++k) {
      if (p.seen[k] == 0.0) continue;
      out[count].index = scene.index[block * kBlock + k];
      count += finish(p, k, columns[kReach2 * kBlock + k], columns[kTop * kBlock + k], camera, scene.inria, out[count]);
    }
  }
  return count;
}
