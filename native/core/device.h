#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace st {

// Parses 'cpu', 'cuda', 'cuda:1'. Throws ERR_INVALID_ARGUMENT for another name, ERR_UNSUPPORTED for a device that
// this build cannot use.
at::Device parse_device(const std::string& name);
// The dtype between a network's layers: 'float32' (also for 'int8', where only weights have 8 bits), 'float64',
// 'bfloat16'.
at::ScalarType parse_dtype(const std::string& name);
// The dtype of weights, gradients, moments, statistics and losses: float64 for float64, else float32.
inline at::ScalarType master_dtype(at::ScalarType compute) {
  return compute == at::kDouble ? at::kDouble : at::kFloat;
}

}  // namespace st
