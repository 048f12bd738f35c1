#pragma once

#include <string>
#include <vector>

namespace st {

// What this machine can do with the threads that the executor has: what results are compared with.
struct MachineRates {
  struct Gemm {
    std::string dtype;
    int64_t m, k, n;
    double gflops;      // LibTorch's, 2·m·k·n operations each
    double own_gflops;  // those of ops/linear with packed weights; 0 where ATen computes them
  };
  std::vector<Gemm> gemms;
  double copy_gbs = 0;         // memory, bytes read and written, far beyond the caches
  double elementwise_gbs = 0;  // out = a · b in the second-level caches, bytes read and written
  double gelu_ns = 0, layer_norm_ns = 0, dropout_ns = 0;  // ATen's, an element of a step's size
};

// `dtypes` of float32 and bfloat16; `seconds` for each of the measurements, of which the best window counts.
MachineRates measure_machine(const std::vector<std::string>& dtypes, double seconds);

}  // namespace st
