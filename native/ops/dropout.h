#pragma once

#include "core/philox.h"
#include "ops/input.h"

namespace st {

// The readable reference of every dropout: the factors (0 or scale) of each element of a [T, width] tensor.
at::Tensor dropout_multiplier_TD(const Dropout& dropout, const Input& input, int64_t width, at::ScalarType type);
// The same for the probabilities of one row of the batch: [heads, length, length].
at::Tensor dropout_multiplier_HLL(const Dropout& dropout, int64_t row, int64_t heads, int64_t length,
                                  at::TensorOptions options);

}  // namespace st
