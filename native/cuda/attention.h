#pragma once

#include "ops/attention.h"

// The parts of attention.cpp that run without a device, for its tests.
namespace st::cuda {

enum class AttentionKernel { kReference, kEfficient, kFlash };

// Flash attention works on tiles of 128 tokens, most of them empty in short rows; memory-efficient attention on 64.
constexpr int64_t kLongestForEfficient = 64;

// Both take heads of a multiple of 8 up to 256; neither float64, nor a bias that depends on positions; flash no
// float32; memory-efficient attention neither windows nor groups of heads.
AttentionKernel choose_attention(const AttentionShape& shape, bool biased, at::ScalarType type, int64_t longest);

// What the generator starts from: a function of seed, step, place and first row, so that a chunk that is computed again
// meets the same masks. A recorded step draws from LibTorch's generator as it comes instead; its backward pass reads in
// the mask's memory where that stood.
int64_t attention_seed(const Dropout& dropout);

// Between memory-efficient attention's log sums, [rows, heads, length] with infinity after each row's end and a
// multiple of 32 for length, and the packed ones that a pass keeps.
at::Tensor packed_lse_TH(const Input& input, const at::Tensor& lse_RHL);
at::Tensor padded_lse_RHL(const Input& input, const at::Tensor& lse_TH);

}  // namespace st::cuda
