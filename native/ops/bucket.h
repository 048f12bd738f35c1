#pragma once

#include <compare>
#include <cstdint>

#include "core/packed.h"

namespace st {

// The shape to which batches are padded, so that a step recorded for one of them serves all. Padding consists of
// whole rows after those of the texts. Each has at least one token, because not every attention accepts empty rows.
// Every token is in a row, because attention does not write outside of rows.
struct Bucket {
  int64_t tokens = 0;        // of texts and padding
  int64_t texts = 0;         // rows that hold them
  int64_t padding_rows = 0;  // behind them
  int64_t longest = 0;       // no row has more tokens

  int64_t rows() const { return texts + padding_rows; }
  auto operator<=>(const Bucket&) const = default;
};

// The smallest shape for a batch: tokens to a multiple of 128, or of 64 below 2,048; the longest row to 32, 64, 128,
// 256, 512, 1,024, ... `positions`: the longest row of this model, at least 2.
Bucket bucket_of(const Rows& batch, int64_t positions);

// The batch's rows and padding rows of token 0 and type 0: a network's input, as one column.
Rows padded(const Rows& batch, const Bucket& bucket);

}  // namespace st
