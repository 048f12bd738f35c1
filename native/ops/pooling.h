#pragma once

#include <string>
#include <vector>

#include "ops/input.h"

namespace st {

// One vector per row from token embeddings, differentiable by autograd: the modes of sentence-transformers' Pooling
// (cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken), concatenated in the given order: [rows, modes *
// D]. Tokens of prompts are left out unless `include_prompt`. A row that is all prompt keeps its last token.
at::Tensor pool(const at::Tensor& x_TD, const Rows& batch, const std::vector<std::string>& modes, bool include_prompt);
// For the texts of an input, whose padding gets a gradient of 0. Calls normalized() on request.
at::Tensor pool(const at::Tensor& x_TD, const Input& input, const std::vector<std::string>& modes, bool include_prompt,
                bool normalize = false);
// Whether that works for a fixed input.
bool pools_fixed(const std::string& mode);

// Rows of length 1, differentiable by autograd: normalize_rows (ops/similarity.h), in one pass if nothing follows.
at::Tensor normalized(const at::Tensor& x_RD);

// Throws ERR_NOT_IMPLEMENTED for a mode that pool() does not support.
void check_pooling_modes(const std::vector<std::string>& modes);

namespace reference {
at::Tensor pool(const at::Tensor& x_TD, const Rows& batch, const std::vector<std::string>& modes, bool include_prompt);
}  // namespace reference

}  // namespace st
