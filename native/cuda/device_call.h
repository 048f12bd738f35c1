#pragma once

#include <ATen/core/Tensor.h>

#include "core/error.h"
#include "core/features.h"
#if ST_WITH_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace st::cuda {

#if ST_WITH_CUDA
// Calls work(stream) for the device of `like` and throws its result, unless that is null.
template <typename Work>
void on_device_of(const at::Tensor& like, const char* kernel, const Work& work) {
  const c10::cuda::CUDAGuard guard(like.device());
  const char* error = work(static_cast<void*>(c10::cuda::getCurrentCUDAStream().stream()));
  check(error == nullptr, "ERR_LIBTORCH", "CUDA kernel ", kernel, ": ", error == nullptr ? "" : error);
}
#endif

template <typename T>
T* device_data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

}  // namespace st::cuda
