#pragma once

#include "core/philox.h"
#include "ops/input.h"

namespace st {

// softmax(q k' / sqrt(head_dim)) v inside every row of the batch, with dropout on the probabilities.
// qkv_T3D holds queries, keys and values side by side; lse_TH (master dtype) is undefined where no backward follows.
void attention(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D, at::Tensor out_TD,
               at::Tensor lse_TH);
void attention_backward(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D,
                        const at::Tensor& out_TD, const at::Tensor& lse_TH, const at::Tensor& d_out_TD,
                        at::Tensor d_qkv_T3D);

namespace reference {
decltype(st::attention) attention;
decltype(st::attention_backward) attention_backward;
}  // namespace reference

}  // namespace st
