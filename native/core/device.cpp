#include "core/device.h"

#include "core/cuda_device.h"
#include "core/error.h"
#include "core/features.h"
#if ST_WITH_CUDA
#include <c10/cuda/CUDAFunctions.h>
#include <c10/util/Exception.h>
#endif

namespace st {

namespace {

// The index of cuda, cuda:0, cuda:1, ...; -1 for another name.
int cuda_index(const std::string& name) {
  if (name == "cuda") return 0;
  if (name.rfind("cuda:", 0) != 0) return -1;
  const std::string digits = name.substr(5);
  if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoi(digits);
}

}  // namespace

int cuda_device_count() {
#if ST_WITH_CUDA
  return c10::cuda::device_count();
#else
  return 0;
#endif
}

at::Device parse_device(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  const int index = cuda_index(name);
  check(index >= 0, "ERR_INVALID_ARGUMENT", "Expected cpu, cuda or cuda:<index> for device but received ", name);
#if ST_WITH_CUDA
  const int count = cuda_device_count();
  if (count == 0) {
    std::string reason = "no device was found";
    try {
      c10::cuda::device_count_ensure_non_zero();
    } catch (const c10::Error& error) {
      reason = error.what_without_backtrace();
    }
    fail("ERR_UNSUPPORTED", "Device ", name, ": this is a build for CUDA " ST_CUDA_VERSION ", but ", reason);
  }
  check(index < count, "ERR_UNSUPPORTED", "Device ", name, ": there ", count == 1 ? "is " : "are ", count,
        count == 1 ? " CUDA device, cuda:0" : " CUDA devices, the last is cuda:",
        count == 1 ? "" : std::to_string(count - 1));
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
#else
  fail("ERR_UNSUPPORTED", "Device ", name, " needs a CUDA build of the addon, and this is a CPU build");
#endif
}

at::ScalarType parse_dtype(const std::string& name) {
  if (name == "float32" || name == "int8") return at::kFloat;
  if (name == "float64") return at::kDouble;
  if (name == "bfloat16") return at::kBFloat16;
  fail("ERR_INVALID_ARGUMENT", "Expected float32, bfloat16 or float64 for dtype but received ", name);
}

}  // namespace st
