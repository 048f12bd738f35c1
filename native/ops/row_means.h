#pragma once

#include <ATen/core/Tensor.h>

#include "core/packed.h"

namespace st {

// The mean of the rows of a table on the CPU that each row of the batch reads, [rows, D]; 0 for a row without tokens.
// The bits of pool() over these rows as token embeddings, which are never in memory. Not differentiable.
// `normalize`: of length 1, as normalized() makes them.
at::Tensor row_means(const at::Tensor& table_VD, const Rows& batch, bool normalize);

}  // namespace st
