#pragma once

#include <ATen/core/Tensor.h>

namespace st {

// log(1 + sum of exp(s_i - s_j) over the pairs of rows with y_i < y_j) (Su 2022).
at::Tensor cosent(const at::Tensor& scores_B, const at::Tensor& labels_B);

}  // namespace st
