#pragma once

#include <string>
#include <vector>

namespace st {

// Measured limits of this machine with the executor's threads, to compare results with.
struct MachineRates {
  struct Gemm {
    std::string dtype;
    int64_t m, k, n;
    double gflops;      // LibTorch's rate, 2·m·k·n operations each
    double own_gflops;  // rate of ops/linear with packed weights; 0 where ATen multiplies
  };
  std::vector<Gemm> gemms;
  double copy_gbs = 0;         // memory bandwidth for reading and writing, far beyond the caches
  double elementwise_gbs = 0;  // out = a · b in the second-level caches: bytes read and written
  double gelu_ns = 0, layer_norm_ns = 0, dropout_ns = 0;  // ATen's time for an element, at the size of a step
};

// `dtypes` of float32 and bfloat16. `seconds` for each measurement, of which the best window counts.
MachineRates measure_machine(const std::vector<std::string>& dtypes, double seconds);

}  // namespace st
