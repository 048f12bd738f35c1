#pragma once

#include "ops/residual_norm.h"

namespace st {

struct EmbeddingTables {
  at::Tensor word_VD, position_PD, type_KD;  // master dtype; the last two undefined = none
};

// The rows of the tables that a batch reads, besides its ids and types.
struct EmbeddingPlaces {
  at::Tensor positions_T;  // int32: the row of the position table
  double word_scale = 1;
  at::Tensor words_T = {};  // int32: the row of the word table, where that is not the id
};

// The positions of RoBERTa (int32, [T]): `padding` + the number of tokens up to here in the row that are not padding,
// or `padding` for a padding token.
at::Tensor positions_after_padding(const Input& input, int64_t padding);

// sum = word_scale * word + position + type (master dtype, kept for backward); out = dropout(norm of sum). Without
// gamma there is no norm.
void embedding_norm(const Input& input, const DropoutMask& mask, const EmbeddingTables& tables,
                    const EmbeddingPlaces& places, const NormWeights& weights, at::Tensor sum_TD, at::Tensor out_TD,
                    at::Tensor mean_T, at::Tensor rstd_T);

// Adds to the defined gradients of the tables, gamma and beta. Overwrites sum with its gradient.
void embedding_norm_backward(const Input& input, const DropoutMask& mask, const EmbeddingPlaces& places,
                             const NormWeights& weights, const at::Tensor& d_out_TD, at::Tensor sum_TD,
                             const at::Tensor& mean_T, const at::Tensor& rstd_T, EmbeddingTables d_tables,
                             at::Tensor d_gamma_D, at::Tensor d_beta_D);

namespace reference {
decltype(st::embedding_norm) embedding_norm;
decltype(st::embedding_norm_backward) embedding_norm_backward;
}  // namespace reference

}  // namespace st
