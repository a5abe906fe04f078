// The native module.
#include "bindings.hpp"

NB_MODULE(_kernels, m) {
  nb::set_leak_warnings(false);  // tables may live in caches until the process ends
  m.doc() = "Hot integer loops; each has a plain twin in gscodec.reference. Status 0 is success.";
  gsc::bind_streams(m);
  gsc::bind_positions(m);
  gsc::bind_attributes(m);
  gsc::bind_harmonics(m);
  gsc::bind_values(m);
  gsc::bind_render(m);
  gsc::bind_lossless(m);
  gsc::bind_motion(m);
  gsc::bind_bases(m);
  gsc::bind_functions(m);
}
