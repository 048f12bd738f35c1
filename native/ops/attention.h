#pragma once

#include "core/philox.h"
#include "ops/input.h"

namespace st {

// Where backward passes follow, attention keeps in it what its dropout drew: a bit for each probability, or, off the
// CPU, the state of a generator.
int64_t attention_mask_words(const PackedBatch& batch, int64_t heads);
int64_t attention_mask_words(const Input& input, int64_t heads);

// softmax(q k' / sqrt(head_dim)) v inside every row of the batch, with dropout on the probabilities.
// qkv_T3D holds queries, keys and values side by side; lse_HT (master dtype) is undefined where no backward follows.
// mask (int16, attention_mask_words() of them) is undefined where there is no dropout, or where none is needed (off the
// CPU, unless the step is recorded).
void attention(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D, at::Tensor out_TD,
               at::Tensor lse_HT, at::Tensor mask);
// d_bias_3D (master dtype) gains the sum of d_qkv over the tokens: the gradient of a bias of qkv; undefined: nobody
// wants it.
void attention_backward(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D,
                        const at::Tensor& out_TD, const at::Tensor& lse_HT, const at::Tensor& mask,
                        const at::Tensor& d_out_TD, at::Tensor d_qkv_T3D, at::Tensor d_bias_3D);

namespace reference {
decltype(st::attention) attention;
decltype(st::attention_backward) attention_backward;
}  // namespace reference

}  // namespace st
