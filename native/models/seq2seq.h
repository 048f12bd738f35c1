#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "layers/cached_attention.h"
#include "layers/pass.h"

namespace st {

// The decoder of an encoder-decoder model. The encoder is a Model of its own; what its tokens became is the pass's
// memory.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // What a pass keeps for the backward pass, in its workspace.
  struct Kept {
    virtual ~Kept() = default;
  };
  virtual std::unique_ptr<Kept> make_kept() const = 0;
  // The states of a pass's tokens, [T, width] in the compute dtype, in the pass's workspace. No token sees a later one.
  virtual at::Tensor forward(const Pass& pass, Kept& kept) const = 0;
  // Adds to the gradients and to that of the memory. Uses up d_x and what was kept.
  virtual void backward(const Pass& pass, Kept& kept, Gradients& gradients, at::Tensor d_x_TD) const = 0;

  // The logits of the next token are scale x W' for the states x.
  struct Head {
    ParamId matrix;  // [vocabulary, width]
    double scale;
  };
  virtual Head head() const = 0;

  // Of the keys and values that a generation keeps: layers, and the width of a token in each.
  struct CacheShape {
    int64_t layers, own_width, memory_width;
  };
  virtual CacheShape cache_shape() const = 0;
  // Whether forward_cached() can read the encoder's states in place of the layers' memory (CachedRows::states_MD), in
  // passes without int8.
  virtual bool reads_states() const = 0;
  // Fills the layers' memory from place `first` on, with the encoder's tokens of a pass.
  virtual void remember(const Pass& pass, const at::Tensor& states_TD, int64_t first,
                        const std::vector<LayerCache>& caches) const = 0;
  // forward() for one new token of each row, which a pass without training has as a row of its own.
  virtual at::Tensor forward_cached(const Pass& pass, const CachedRows& rows,
                                    const std::vector<LayerCache>& caches) const = 0;
};

// What a decoder shares with its encoder.
struct SharedWords {
  ParamId table;  // of word embeddings
  bool head;      // whether it is the matrix of the last layer, too
};

}  // namespace st
