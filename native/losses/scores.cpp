#include "losses/scores.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "core/error.h"
#include "ops/similarity.h"

namespace st {

namespace {

// The forward pass also computes the gradient, and the backward pass returns it.
struct SumInChunks : torch::autograd::Function<SumInChunks> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& embeddings_CBD, int64_t step,
                            const RowTerms* terms) {
    const int64_t rows = embeddings_CBD.size(1);
    const at::Tensor leaf_CBD = embeddings_CBD.detach().requires_grad_(true);
    at::Tensor gradient_CBD = at::zeros_like(embeddings_CBD), sum;
    for (int64_t begin = 0; begin < rows; begin += step) {
      const at::AutoGradMode with_grad(true);
      const at::Tensor term = (*terms)(leaf_CBD, begin, std::min(begin + step, rows));
      const at::Tensor part = torch::autograd::grad({term}, {leaf_CBD})[0];
      const at::NoGradGuard no_grad;
      gradient_CBD.add_(part);
      sum = sum.defined() ? sum + term.detach() : term.detach();
    }
    context->save_for_backward({gradient_CBD});
    return sum;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_sum) {
    return {context->get_saved_variables()[0] * d_sum[0], at::Tensor(), at::Tensor()};
  }
};

}  // namespace

Similarity parse_similarity(const Config& spec) {
  const std::string name = spec.string("similarity", "cosine");
  check(name == "cosine" || name == "dot", "ERR_INVALID_ARGUMENT", "Expected cosine or dot for similarity but found ",
        name);
  return name == "cosine" ? Similarity::kCosine : Similarity::kDot;
}

at::Tensor score_matrix(Similarity similarity, const at::Tensor& a_AD, const at::Tensor& b_BD) {
  return similarity == Similarity::kCosine ? cosine_matrix(a_AD, b_BD) : at::matmul(a_AD, b_BD.t());
}

void MaskCount::add(const at::Tensor& masked, const at::Tensor& maskable) {
  const at::Tensor a = masked.sum(), b = maskable.sum();
  masked_ = masked_.defined() ? masked_ + a : a;
  maskable_ = maskable_.defined() ? maskable_ + b : b;
}

at::Tensor MaskCount::share() const {
  return masked_.to(at::kDouble) / maskable_.clamp_min(1).to(at::kDouble);
}

at::Tensor sum_in_chunks(const at::Tensor& embeddings_CBD, int64_t width, const RowTerms& terms) {
  const int64_t rows = embeddings_CBD.size(1), step = std::max<int64_t>(1, kScoresAtOnce / std::max<int64_t>(1, width));
  if (step >= rows) return terms(embeddings_CBD, 0, rows);
  if (at::GradMode::is_enabled() && embeddings_CBD.requires_grad()) {
    return SumInChunks::apply(embeddings_CBD, step, &terms);
  }
  at::Tensor sum = terms(embeddings_CBD, 0, step);
  for (int64_t begin = step; begin < rows; begin += step) {
    sum = sum + terms(embeddings_CBD, begin, std::min(begin + step, rows));
  }
  return sum;
}

}  // namespace st
