#pragma once

#include <ATen/core/Tensor.h>

// Cross-entropy over a vocabulary whose logits never stand whole.
namespace st {

// The last layer of a language model: logits = x W' + b. V words; the bias may be undefined.
struct VocabularyLayer {
  at::Tensor x_TD, weight_VD, bias_V;
};

// Mean over the tokens of -log softmax(x W' + b)[label], differentiable by autograd. `labels_T`: int64, each in [0, V).
// It works on blocks of tokens. With gradients it computes them block by block in the forward pass, so that no logits
// are kept or computed twice: memory beyond the gradients is that of two blocks.
at::Tensor vocabulary_loss(const VocabularyLayer& layer, const at::Tensor& labels_T);

namespace reference {
at::Tensor vocabulary_loss(const VocabularyLayer& layer, const at::Tensor& labels_T);
}  // namespace reference

}  // namespace st
