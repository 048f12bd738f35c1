// Environment variables that switch features on and off.
#include <ATen/Context.h>

#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "ops/cuda.h"

namespace st::cuda {

namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0' || std::strcmp(value, "0") == 0) return false;
  check(std::strcmp(value, "1") == 0, "ERR_INVALID_ARGUMENT", "Expected 0 or 1 for ", name, " but found ", value);
  return true;
}

}  // namespace

bool use_kernels() {
  static const bool on = is_set("SENTENCE_TORCH_CUDA_KERNELS");
  return on;
}

bool use_graphs() {
  static const bool on = is_set("SENTENCE_TORCH_CUDA_GRAPHS");
  check(!on || use_kernels(), "ERR_INVALID_ARGUMENT",
        "SENTENCE_TORCH_CUDA_GRAPHS=1 needs SENTENCE_TORCH_CUDA_KERNELS=1: without own kernels the host makes masks of "
        "dropout, which cannot be recorded");
  return on;
}

void configure() {
  at::globalContext().setAllowTF32CuBLAS(is_set("SENTENCE_TORCH_TF32"));
}

}  // namespace st::cuda
