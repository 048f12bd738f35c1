#include "ops/similarity.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sum.h>

namespace st {

at::Tensor normalize_rows(const at::Tensor& x_RD) {
  return x_RD / at::linalg_vector_norm(x_RD, 2, at::IntArrayRef{1}, true).clamp_min(1e-12);
}

at::Tensor cosine_matrix(const at::Tensor& a_AD, const at::Tensor& b_BD) {
  return at::matmul(normalize_rows(a_AD), normalize_rows(b_BD).t());
}

at::Tensor cosine_pairs(const at::Tensor& a_RD, const at::Tensor& b_RD) {
  return (normalize_rows(a_RD) * normalize_rows(b_RD)).sum(1);
}

}  // namespace st
