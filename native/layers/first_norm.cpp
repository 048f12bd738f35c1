#include "layers/first_norm.h"

#include "ops/residual_norm.h"

namespace st {

FirstNorm::Kept FirstNorm::keep(const Pass& pass) const {
  return {.x_TD = pass.take(width_), .mean_T = pass.take_statistics(), .rstd_T = pass.take_statistics()};
}

Stream FirstNorm::forward(const Pass& pass, const at::Tensor& embeddings_TD, Kept& kept) const {
  kept = keep(pass);
  const Scratch scratch(pass.workspace);
  // A residual of zeros, so that the op that norms a sum norms its first term.
  const at::Tensor none_TD = pass.take(width_).zero_();
  residual_norm(pass.input, {}, norm_.weights(pass), {}, none_TD, embeddings_TD, kept.x_TD, kept.mean_T, kept.rstd_T);
  return {embeddings_TD, kept.x_TD};
}

void FirstNorm::backward(const Pass& pass, Gradients& gradients, const Kept& kept, const at::Tensor& embeddings_TD,
                         const Stream& d) const {
  const Scratch scratch(pass.workspace);
  // Without dropout the gradients of both terms are the same.
  const at::Tensor same_TD = pass.take(width_);
  residual_norm_backward(pass.input, {}, norm_.weights(pass), d.x_TD, d.sum_TD, embeddings_TD, kept.mean_T, kept.rstd_T,
                         d.sum_TD, same_TD, norm_.gamma_gradient(gradients), norm_.beta_gradient(gradients), {});
}

}  // namespace st
