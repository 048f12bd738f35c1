#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace st {

// The decoder of an encoder-decoder model, over the rows of a batch. Losses know this interface; the engine brings the
// model (engine/decoding.h).
class TextDecoder {
 public:
  virtual ~TextDecoder() = default;
  // Mean cross-entropy of the tokens of the target texts that are not -100, each of which is predicted from those
  // before it and the encoder's states [S, width]. Differentiable by the states, in the master dtype; the gradients of
  // the model's own tensors are added where they belong. `offsets`: of the texts, one for each row of the batch.
  virtual at::Tensor loss(const at::Tensor& states_SD, std::span<const int32_t> ids,
                          std::span<const int32_t> offsets) = 0;
};

}  // namespace st
