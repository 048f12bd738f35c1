#pragma once

#include "ops/residual_norm.h"

namespace st {

struct EmbeddingTables {
  at::Tensor word_VD, position_PD, type_KD;  // master dtype
};

// sum = word + position + type (master dtype, kept for backward); out = dropout(layer norm of sum).
void embedding_norm(const Input& input, const DropoutMask& mask, const EmbeddingTables& tables,
                    const NormWeights& weights, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                    at::Tensor rstd_T);

// Adds to the gradients of the tables, gamma and beta; overwrites sum with its gradient.
void embedding_norm_backward(const Input& input, const DropoutMask& mask, const at::Tensor& gamma_D,
                             const at::Tensor& d_out_TD, at::Tensor sum_TD, const at::Tensor& mean_T,
                             const at::Tensor& rstd_T, EmbeddingTables d_tables, at::Tensor d_gamma_D,
                             at::Tensor d_beta_D);

namespace reference {
decltype(st::embedding_norm) embedding_norm;
decltype(st::embedding_norm_backward) embedding_norm_backward;
}  // namespace reference

}  // namespace st
