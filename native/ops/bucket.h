#pragma once

#include <compare>
#include <cstdint>

#include "core/packed.h"

namespace st {

// The shape that batches are padded to, so that a step that was recorded for one of them serves them all. Padding is
// whole rows behind those of the texts: each holds a token at least, because not every attention takes empty rows, and
// every token lies in a row, because attention leaves memory outside of rows as it was.
struct Bucket {
  int64_t tokens = 0;        // of texts and padding
  int64_t texts = 0;         // rows that hold them
  int64_t padding_rows = 0;  // behind them
  int64_t longest = 0;       // no row has more tokens

  int64_t rows() const { return texts + padding_rows; }
  auto operator<=>(const Bucket&) const = default;
};

// The smallest one for a batch: tokens to a multiple of 128, of 64 below 2,048; the longest row to 32, 64, 128, 256,
// 512, 1,024, ... `positions`: what a row of this model may hold, at least 2.
Bucket bucket_of(const Rows& batch, int64_t positions);

// The batch's rows and those of padding, which are of token 0 and type 0: what a network reads of it, of one column.
Rows padded(const Rows& batch, const Bucket& bucket);

}  // namespace st
