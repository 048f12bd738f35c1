#pragma once

#include <ATen/core/Tensor.h>

namespace st {

// x / max(|x|, 1e-12) row by row, as torch.nn.functional.normalize.
at::Tensor normalize_rows(const at::Tensor& x_RD);

// [A, D] x [B, D] -> [A, B] cosine similarities.
at::Tensor cosine_matrix(const at::Tensor& a_AD, const at::Tensor& b_BD);

// Cosine of row i of a with row i of b.
at::Tensor cosine_pairs(const at::Tensor& a_RD, const at::Tensor& b_RD);

}  // namespace st
