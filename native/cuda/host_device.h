#pragma once

#include <cstdint>
#include <cstring>

// Shared by the CUDA kernels and the tests on the host: nvcc compiles it for both, g++ only for the host.
#if defined(__CUDACC__)
#define ST_HD __host__ __device__ __forceinline__
#define ST_UNROLL _Pragma("unroll")
#else
#define ST_HD inline
#define ST_UNROLL
#endif

namespace st::cuda {

// Storage of bfloat16, the memory layout of c10::BFloat16.
struct Bf16 {
  uint16_t bits;
};

ST_HD float load(float x) {
  return x;
}
ST_HD float load(Bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float out;
  memcpy(&out, &bits, sizeof(out));
  return out;
}
ST_HD void store(float& to, float x) {
  to = x;
}
// To nearest, ties to even; NaN stays NaN.
ST_HD void store(Bf16& to, float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  const bool is_nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  to.bits = static_cast<uint16_t>(is_nan ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// The threads that share a row. Lane l of n takes the columns l, l + n, l + 2n, ... sum and highest combine all lanes
// and return the result to each. sync waits for all lanes. A warp is one group (kernels.cu); on the host a single lane
// is.
struct OneLane {
  int lane() const { return 0; }
  int lanes() const { return 1; }
  float sum(float x) const { return x; }
  float highest(float x) const { return x; }
  void sync() const {}
};

}  // namespace st::cuda
