#pragma once

#include <ATen/core/Tensor.h>

#include "core/packed.h"
#include "ops/bucket.h"

namespace st {

// A packed batch on its device, with the place of every token.
struct Input {
  Input(const Rows& batch, at::Device device);

  const Rows& batch;
  at::Tensor ids_T;        // int32
  at::Tensor types_T;      // int32; undefined = all 0
  at::Tensor rows_T;       // int32: the row of each token
  at::Tensor positions_T;  // int32: its position in the row
  at::Tensor offsets_R1;   // int32: those of the batch; undefined on the CPU, unless `fixed`

  // A step that is recorded and repeated with other batches: it may read only sizes from `batch`, and everything else
  // from tensors. See StaticInput.
  bool fixed = false;
  at::Tensor first_R;  // int32: the first token of each row after the prompt; undefined unless `fixed`
  at::Tensor key_1;    // int64: the pass's dropout key; undefined unless `fixed`
  Bucket bucket;

  int64_t tokens() const { return batch.tokens(); }
  // Rows with texts. Those after them are padding.
  int64_t texts() const { return fixed ? bucket.texts : batch.rows(); }
  // No row has more tokens.
  int64_t longest() const { return fixed ? bucket.longest : batch.max_length(); }

 private:
  friend class StaticInput;
  explicit Input(const Rows& padded) : batch(padded), fixed(true) {}
};

// Writes the row and the position of every token.
void fill_places(const Rows& batch, int32_t* rows_T, int32_t* positions_T);

}  // namespace st
