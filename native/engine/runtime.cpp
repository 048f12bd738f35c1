#include "engine/runtime.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "ops/cpu/kernels.h"
#include "ops/linear.h"

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

}  // namespace

RuntimeInfo runtime_info() {
  RuntimeInfo info;
  info.libtorch_version = TORCH_VERSION;
  info.cpu_features = cpu_features();
  info.cpu_kernels = kernels::chosen();
  info.devices = {{"cpu", at::get_cpu_capability()}};
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
