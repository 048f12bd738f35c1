#pragma once

#include <string>
#include <utility>
#include <vector>

namespace st {

struct RuntimeInfo {
  std::string libtorch_version;
  std::string cuda;                                          // empty in a CPU build
  std::vector<std::pair<std::string, std::string>> devices;  // name, description
  std::vector<std::string> fast_dtypes;
  std::vector<std::string> cpu_features;
  std::string cpu_kernels;
};

RuntimeInfo runtime_info();

// Number of threads for the calling thread's parallel regions (OpenMP and the matrix library). Called by the
// executor.
void set_threads(int threads);

}  // namespace st
