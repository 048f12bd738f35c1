#include "core/device.h"

#include "core/error.h"

namespace st {

at::Device parse_device(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  if (name == "cuda" || name.rfind("cuda:", 0) == 0) {
    fail("ERR_UNSUPPORTED", "Device ", name, " needs a CUDA build of the addon, and this is a CPU build");
  }
  fail("ERR_INVALID_ARGUMENT", "Expected cpu, cuda or cuda:<index> for device but received ", name);
}

at::ScalarType parse_dtype(const std::string& name) {
  if (name == "float32" || name == "int8") return at::kFloat;
  if (name == "float64") return at::kDouble;
  if (name == "bfloat16") return at::kBFloat16;
  fail("ERR_INVALID_ARGUMENT", "Expected float32, bfloat16 or float64 for dtype but received ", name);
}

}  // namespace st
