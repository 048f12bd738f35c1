#include "engine/runtime.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/cuda_device.h"
#include "core/features.h"
#include "ops/cpu/kernels.h"
#include "ops/linear.h"
#if ST_WITH_CUDA
#include <ATen/cuda/CUDAContextLight.h>
#endif

namespace st {

namespace {

std::vector<std::string> cpu_features() {
  std::vector<std::string> out;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) out.emplace_back("avx2");
  if (__builtin_cpu_supports("fma")) out.emplace_back("fma");
  if (__builtin_cpu_supports("avx512f")) out.emplace_back("avx512f");
  if (__builtin_cpu_supports("avx512bw")) out.emplace_back("avx512bw");
  if (__builtin_cpu_supports("avx512vnni")) out.emplace_back("avx512_vnni");
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1)) out.emplace_back("avx512_bf16");
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1)) out.emplace_back("amx_bf16");
#elif defined(__aarch64__)
  out.emplace_back("neon");
#endif
  return out;
}

// The CUDA devices come first, because `auto` takes the first one.
std::vector<std::pair<std::string, std::string>> devices() {
  std::vector<std::pair<std::string, std::string>> out;
  std::string cpu = at::get_cpu_capability();
#if ST_WITH_CUDA
  for (int i = 0; i < cuda_device_count(); ++i) {
    const cudaDeviceProp* properties = at::cuda::getDeviceProperties(static_cast<c10::DeviceIndex>(i));
    out.emplace_back("cuda:" + std::to_string(i), std::string(properties->name) + ", " +
                                                      std::to_string(properties->totalGlobalMem >> 20) +
                                                      " MiB, compute capability " + std::to_string(properties->major) +
                                                      "." + std::to_string(properties->minor));
  }
  if (out.empty()) cpu += ". CUDA build, no device, using CPU";
#endif
  out.emplace_back("cpu", cpu);
  return out;
}

}  // namespace

RuntimeInfo runtime_info() {
  RuntimeInfo info;
  info.libtorch_version = TORCH_VERSION;
  info.cpu_features = cpu_features();
  info.cpu_kernels = kernels::chosen();
  info.cuda = ST_CUDA_VERSION;
  info.devices = devices();
  info.fast_dtypes = {"float32"};
  for (const std::string& feature : info.cpu_features) {
    if (feature == "avx512_bf16" || feature == "amx_bf16") {
      info.fast_dtypes.emplace_back("bfloat16");
      break;
    }
  }
  if (has_int8_products()) info.fast_dtypes.emplace_back("int8");
  return info;
}

void set_threads(int threads) {
  at::set_num_threads(threads);
}

}  // namespace st
