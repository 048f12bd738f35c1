#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>

namespace st {

// Numbers on the host, each as a `T`, for a transfer to a device: in pinned memory for a GPU, which LibTorch keeps
// until an asynchronous transfer has ended.
template <typename T, typename Values>
at::Tensor staged(const Values& values, at::Device device) {
  const auto type = at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value);
  at::Tensor host = at::empty({static_cast<int64_t>(values.size())}, type.pinned_memory(device.is_cuda()));
  std::copy(values.begin(), values.end(), host.template data_ptr<T>());
  return host;
}

// The same on the device: [values.size()]. Does not wait.
template <typename T, typename Values>
at::Tensor upload(const Values& values, at::Device device) {
  const at::Tensor host = staged<T>(values, device);
  return device.is_cpu() ? host : host.to(device, host.scalar_type(), /*non_blocking=*/true);
}

}  // namespace st
