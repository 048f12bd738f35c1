#pragma once

#include <cstdint>
#include <vector>

#include "layers/cross_attention.h"
#include "layers/self_attention.h"

// Attention of a decoder that writes texts token by token and keeps the keys and values of its layers.
namespace st {

// The rows of a pass with one new token each. Their keys and values lie at the same places in all layers.
struct CachedRows {
  std::vector<int32_t> first, length;  // [R] in LayerCache::own: tokens of the row, with the new one
  at::Tensor new_R;                    // int64: places of the new tokens
  // Neighbouring rows that read the same tokens of the encoder, which are then read once: [G] rows, and tokens in
  // LayerCache::memory.
  std::vector<int32_t> reader_first, readers, memory_first, memory_length;
  // The encoder's states, where they are read in place of the keys and values of each layer.
  at::Tensor states_MD;
};

// Keys and values of a layer side by side.
struct LayerCache {
  at::Tensor own_S2Y;     // of the tokens so far
  at::Tensor memory_M2Y;  // of the encoder's tokens; undefined where CachedRows::states_MD is read
};

// SelfAttention::forward() for new tokens, whose keys and values are added to the cache. `out` has memory of its own.
void forward_cached(const SelfAttention& block, const Pass& pass, const Stream& in, const Stream& out,
                    const CachedRows& rows, const LayerCache& cache);

// Whether CrossAttention can read the encoder's states in place of keys and values, in passes without int8.
bool reads_states(const CrossAttention& block);
// Computes the keys and values of an encoder's tokens, those of `pass`, from their states.
void remember(const CrossAttention& block, const Pass& pass, const at::Tensor& states_TD, at::Tensor kv_T2Y);
// CrossAttention::forward() with remembered keys and values, or with the encoder's states.
void forward_cached(const CrossAttention& block, const Pass& pass, const Stream& in, const Stream& out,
                    const CachedRows& rows, const LayerCache& cache);

}  // namespace st
